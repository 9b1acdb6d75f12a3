import subprocess
import sys
from pathlib import Path

import pytest

from engines.errors import ConfigError
from engines.stylegan.config import MAX_STEPS, PRESETS, Architecture, TrainConfig, preset_for

PATHS = {"dataset": Path("dataset"), "run_dir": Path("run")}


def test_a_web_process_can_read_presets_without_torch():
    names = ("stylegan.config", "dataset", "provenance", "manifest", "progress", "starters.drawings")
    imports = ", ".join(f"engines.{name}" for name in names)
    code = f"import sys; import {imports}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_channels_halve_with_the_resolution_up_to_a_maximum():
    architecture = Architecture(resolution=64, channel_base=1024, channel_max=64)
    assert [architecture.channels(resolution) for resolution in (64, 32, 16, 8, 4)] == [16, 32, 64, 64, 64]
    assert architecture.block_resolutions == (4, 8, 16, 32, 64)
    assert architecture.num_ws == 10


def test_an_architecture_survives_json():
    architecture = Architecture(resolution=128, channel_base=4096)
    assert Architecture.from_dict(architecture.as_dict() | {"later": 1}) == architecture


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_makes_a_config(name):
    preset = PRESETS[name]
    scratch = preset.config(**PATHS)
    transfer = preset.config(**PATHS, start=Path("model"))
    assert scratch.steps == preset.scratch_steps
    assert transfer.steps == preset.transfer_steps
    assert scratch.architecture == preset.architecture
    assert preset.config(**PATHS, steps=7).steps == 7
    assert preset_for(preset.architecture) is preset
    assert scratch.batch // scratch.parts() == (scratch.micro_batch or scratch.batch)


@pytest.mark.parametrize(("name", "factor"), [(name, 24 if name == "cpu64" else 8) for name in PRESETS])
def test_gamma_is_near_the_rule_of_thumb(name, factor):
    """0.0002 times the number of pixels by the batch, within a factor of 8; more was better for drawings."""
    scratch = PRESETS[name].config(**PATHS)
    rule = 0.0002 * scratch.architecture.resolution**2 / scratch.batch
    assert rule / factor < scratch.gamma < rule * factor


def test_an_unknown_architecture_takes_the_nearest_preset():
    architecture = Architecture(resolution=128, z_dim=512, w_dim=512, mapping_layers=8, channel_base=16384)
    preset = preset_for(architecture)
    assert preset.architecture == architecture
    assert preset.title == PRESETS["cpu64"].title


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("steps", 0, "Steps must be between 1"),
        ("steps", 10**9, f"and {MAX_STEPS}"),
        ("batch", 0, "batch must hold"),
        ("learning_rate", float("nan"), "learning_rate"),
        ("learning_rate", 0.0, "greater than 0"),
        ("gamma", -1.0, "gamma"),
        ("ada_target", 1.0, "ada_target"),
        ("snapshot_every", 0, "at least 1"),
        ("micro_batch", 0, "leave it out"),
        ("style_mixing", 1.5, "between 0 and 1"),
        ("cooldown", -0.1, "between 0 and 1"),
        ("quality_samples", -1, "from 0 up"),
    ],
)
def test_settings_out_of_range_are_refused_in_plain_words(name, value, message):
    with pytest.raises(ConfigError, match=message):
        TrainConfig(**PATHS, **{name: value})


def test_the_learning_rate_falls_over_the_last_share_of_the_steps():
    config = TrainConfig(**PATHS, steps=100, learning_rate=0.002, cooldown=0.4)
    rates = [config.learning_rate_at(step) for step in (0, 60, 80, 96, 99)]
    assert rates == pytest.approx([0.002, 0.002, 0.001, 0.0002, 0.0002])
    constant = TrainConfig(**PATHS, steps=100, learning_rate=0.002)
    assert {constant.learning_rate_at(step) for step in range(100)} == {0.002}
