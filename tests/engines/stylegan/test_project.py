"""Projection on tiny networks. That it works on real ones shows in `python -m engines project`."""

import numpy as np
import pytest
import torch

from engines.checkpoint import write_model
from engines.errors import ConfigError, DatasetError, ModelError
from engines.manifest import DISCRIMINATOR_FILE, GENERATOR_FILE, STYLEGAN2, ModelInfo
from engines.metrics.features import feature_maps
from engines.progress import Control
from engines.stylegan.generate import Generator
from engines.stylegan.latent import LatentSpace
from engines.stylegan.nearness import Yardstick
from engines.stylegan.networks import Discriminator
from engines.stylegan.networks import Generator as Network
from engines.stylegan.project import Outcome, Projector, projection_floor
from engines.stylegan.projecting import ProjectConfig

from .conftest import TINY, RecordingHost

QUICK = ProjectConfig(steps=12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    networks = {GENERATOR_FILE: Network(TINY), DISCRIMINATOR_FILE: Discriminator(TINY)}
    weights = {file: network.state_dict() for file, network in networks.items()}
    write_model(folder, ModelInfo(family=STYLEGAN2, architecture=TINY.as_dict()), weights)
    return folder


@pytest.fixture(scope="module")
def projector(folder):
    return Projector(Generator.load(folder, threads=1), folder)


@pytest.fixture(scope="module")
def picture():
    """A light square on a dark ground."""
    pixels = np.full((16, 16, 3), (30, 50, 90), np.uint8)
    pixels[4:12, 6:14] = (220, 180, 90)
    return pixels


def test_it_comes_much_nearer_than_chance(projector, picture):
    found = projector.project(picture, ProjectConfig(steps=40))
    assert found.outcome is Outcome.FINISHED
    assert found.reached.distance < found.best_random.distance < found.unrelated.distance
    assert found.reached.grey_levels < found.best_random.grey_levels


def test_the_point_shows_the_picture_that_was_found(projector, picture):
    for space, rows in (("w", 1), ("w+", TINY.num_ws)):
        found = projector.project(picture, ProjectConfig(steps=12, space=space))
        assert found.point.rows == rows
        shown = LatentSpace(projector.generator).images([found.point])[0]
        assert np.abs(shown.astype(int) - found.picture).max() <= 1


def test_layers_of_their_own_come_nearer(projector, picture):
    one, many = (
        projector.project(picture, ProjectConfig(steps=40, space=space)).reached for space in ("w", "w+")
    )
    assert many.distance < one.distance


def test_a_picture_of_the_model_is_found_better_than_a_strange_one(projector, picture):
    config = ProjectConfig(steps=40)
    floor = projection_floor(projector, config)
    assert floor.distance < projector.project(picture, config).reached.distance


def test_steps_and_pictures_are_told(projector, picture):
    host, shown = RecordingHost(), []
    found = projector.project(
        picture, QUICK, host, on_picture=lambda step, pixels: shown.append((step, pixels)), picture_every=4
    )
    assert host.steps == list(range(1, 13))
    assert [step for step, _ in shown] == [4, 8, 12]
    assert np.array_equal(shown[-1][1], found.picture)


def test_stopped_and_resumed_equals_uninterrupted(projector, picture, tmp_path):
    host = RecordingHost({7: Control.STOP})
    stopped = projector.project(picture, QUICK, host, state=tmp_path)
    assert (stopped.outcome, stopped.step) == (Outcome.STOPPED, 7)
    resumed = projector.project(picture, QUICK, host, state=tmp_path)
    assert host.steps == list(range(1, 13))
    straight = projector.project(picture, QUICK)
    assert resumed.point == straight.point
    assert resumed.reached == straight.reached
    assert resumed.best_random == straight.best_random
    again = projector.project(picture, QUICK, host, state=tmp_path)
    assert again.point == straight.point
    assert host.steps == list(range(1, 13))


def test_the_state_of_another_projection_is_not_taken(projector, picture, tmp_path):
    projector.project(picture, QUICK, RecordingHost({3: Control.STOP}), state=tmp_path)
    for other, config in ((picture[:, ::-1], QUICK), (picture, ProjectConfig(steps=12, space="w"))):
        with pytest.raises(ModelError, match="another projection"):
            projector.project(np.ascontiguousarray(other), config, state=tmp_path)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((16, 16, 3), np.uint8), "black all over"),
        (np.full((16, 16, 3), (200, 30, 30), np.uint8), "one colour all over"),
        (np.zeros((20, 16, 3), np.uint8), "16 x 20 pixels and the model makes 16 x 16"),
    ],
)
def test_what_cannot_be_looked_for_is_refused(projector, pixels, message):
    with pytest.raises(DatasetError, match=message):
        projector.project(pixels, QUICK)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 9}, "10 to 2000 steps"),
        ({"space": "z"}, '"w" or "w\\+"'),
        ({"learning_rate": float("nan")}, "learning_rate"),
    ],
)
def test_impossible_settings_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        ProjectConfig(**values)


def test_without_a_discriminator_random_features_serve(folder, picture):
    projector = Projector(Generator.load(folder, threads=1))
    assert not projector.uses_discriminator
    assert projector.project(picture, QUICK).reached.distance > 0.0


def test_the_yardstick_is_nought_for_the_same_picture_only(picture):
    yardstick = Yardstick(picture, feature_maps, pixel_weight=1.0)
    same = torch.from_numpy(picture.astype(np.float32) / 127.5 - 1.0).permute(2, 0, 1)[None]
    shifted = same.roll(1, dims=3)
    near, far = yardstick.nearness(torch.cat([same, shifted]))
    assert near.distance == pytest.approx(0.0, abs=1e-6)
    assert near.grey_levels == pytest.approx(0.0, abs=1e-3)
    expected = np.sqrt(np.square(np.roll(picture, 1, axis=1).astype(float) - picture).mean())
    assert far.grey_levels == pytest.approx(expected, rel=1e-3)
    assert far.distance > 0.01
