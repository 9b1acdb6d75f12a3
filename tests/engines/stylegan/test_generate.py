import json

import numpy as np
import pytest
import torch

from engines.checkpoint import write_model
from engines.errors import ConfigError, ModelError
from engines.manifest import GENERATOR_FILE, STYLEGAN2, ModelInfo
from engines.stylegan.generate import Generator
from engines.stylegan.networks import Generator as Network
from engines.stylegan.randomness import MAX_SEED, latents

from .conftest import TINY


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    info = ModelInfo(family=STYLEGAN2, architecture=TINY.as_dict(), name="Tiny")
    write_model(tmp_path, info, {GENERATOR_FILE: Network(TINY).state_dict()})
    return tmp_path


def test_a_seed_gives_the_same_picture_in_any_company(folder):
    generator = Generator.load(folder)
    together = generator.images([3, 1, 4, 1, 5], batch_size=3)
    assert together.shape == (5, 16, 16, 3)
    assert together.dtype == np.uint8
    assert np.array_equal(together[1], together[3])
    alone = generator.images([4])
    assert np.abs(together[2].astype(int) - alone[0]).max() <= 1
    assert not np.array_equal(together[0], together[1])


def test_the_same_call_gives_the_same_bytes(folder):
    first, second = (Generator.load(folder, threads=1).images(range(4)) for _ in range(2))
    assert np.array_equal(first, second)


def test_no_truncation_left_is_one_picture(folder):
    images = Generator.load(folder).images([1, 2], truncation_psi=0.0)
    assert np.array_equal(images[0], images[1])


def test_seeds_are_those_of_other_tools():
    expected = np.random.RandomState(5).randn(TINY.z_dim).astype(np.float32)
    assert np.array_equal(latents([5], TINY.z_dim)[0], expected)


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1])
def test_seeds_out_of_range_are_refused(folder, seed):
    with pytest.raises(ConfigError, match="Seeds go from 0"):
        Generator.load(folder).images([seed])


def test_batches_are_reported_and_can_be_ended(folder):
    seen = []
    generator = Generator.load(folder)
    generator.images(range(5), batch_size=2, on_batch=lambda *done: seen.append(done))
    assert seen == [(2, 5), (4, 5), (5, 5)]

    def stop(done, total):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        generator.images(range(5), batch_size=2, on_batch=stop)


def test_no_seeds_give_no_pictures(folder):
    assert Generator.load(folder).images([]).shape == (0, 16, 16, 3)


def test_the_size_in_memory_is_that_of_the_weights(folder):
    generator = Generator.load(folder)
    assert 0 < generator.nbytes <= (folder / GENERATOR_FILE).stat().st_size


def test_damage_is_noticed(folder):
    weights = folder / GENERATOR_FILE
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match="damaged"):
        Generator.load(folder)


def test_weights_of_other_sizes_are_refused(folder):
    model = json.loads((folder / "model.json").read_text())
    model["architecture"]["channel_max"] = 4
    (folder / "model.json").write_text(json.dumps(model))
    with pytest.raises(ModelError, match="do not fit"):
        Generator.load(folder)
