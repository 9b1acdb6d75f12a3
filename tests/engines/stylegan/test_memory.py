"""The estimate of what a training takes."""

import pytest

from engines.stylegan.config import PRESETS
from engines.stylegan.memory import discriminator_weights, generator_weights, training_bytes
from engines.stylegan.networks import Discriminator, Generator


@pytest.mark.parametrize("name", ["cpu64", "cpu64-hq"])
def test_weights_are_about_as_many_as_the_networks_have(name):
    architecture = PRESETS[name].architecture

    for network, estimate in [(Generator, generator_weights), (Discriminator, discriminator_weights)]:
        real = sum(parameter.numel() for parameter in network(architecture).parameters())
        assert estimate(architecture) == pytest.approx(real, rel=0.2)


def test_what_the_presets_take():
    gibibytes = {}
    for name, preset in PRESETS.items():
        images = preset.settings.get("micro_batch") or preset.settings["batch"]
        gibibytes[name] = training_bytes(preset.architecture, images) / 2**30

    assert gibibytes["cpu64"] < gibibytes["cpu64-hq"] < 2
    assert 4 < gibibytes["gpu256"] < 8
    assert 8 < gibibytes["gpu1024"] < 16


def test_a_larger_batch_takes_more():
    architecture = PRESETS["gpu256"].architecture

    assert training_bytes(architecture, 32) > 1.5 * training_bytes(architecture, 16)
