import numpy as np
import pytest

from engines.errors import DatasetError
from engines.metrics.distance import frechet, random_feature_distance
from engines.metrics.features import CHANNELS, features
from engines.metrics.nearest import nearest_training_images
from engines.starters.drawings import draw


@pytest.fixture(scope="module")
def cats():
    return np.stack([np.asarray(draw("cats", index, 32)) for index in range(64)])


@pytest.fixture(scope="module")
def faces():
    return np.stack([np.asarray(draw("faces", index, 32)) for index in range(32)])


def test_frechet_of_normal_distributions_is_the_closed_form():
    rng = np.random.default_rng(0)
    a = rng.normal(0.0, 1.0, (200_000, 2)).astype(np.float32)
    b = (rng.normal(0.0, 1.0, (200_000, 2)) * [2.0, 3.0] + [1.0, 0.0]).astype(np.float32)
    assert frechet(a, b) == pytest.approx(1.0 + (2 - 1) ** 2 + (3 - 1) ** 2, rel=0.02)
    assert frechet(a, a) == pytest.approx(0.0, abs=1e-9)
    assert frechet(a, b) == pytest.approx(frechet(b, a))


def test_features_are_the_same_every_time(cats):
    first = features(cats[:5])
    assert first.shape == (5, 2 * sum(CHANNELS))
    np.testing.assert_allclose(features(cats[:1]), first[:1], rtol=1e-4, atol=1e-5)


def test_another_family_is_farther_than_the_floor(cats, faces):
    same = random_feature_distance(cats[:32], cats[32:])
    other = random_feature_distance(faces, cats)
    assert other.samples == 32
    assert other.value > 2 * other.floor
    assert same.value < other.value


def test_too_few_images_are_refused(cats):
    with pytest.raises(DatasetError, match="16 generated and 32 real"):
        random_feature_distance(cats[:15], cats)
    with pytest.raises(DatasetError):
        random_feature_distance(cats, cats[:31])


def test_a_copy_is_found_even_mirrored_and_retouched(cats):
    queries = np.stack([cats[7], cats[9][:, ::-1], cats[11]]).copy()
    queries[2, :4, :4] = 0
    found = nearest_training_images(queries, cats)
    assert found.index.tolist() == [7, 9, 11]
    np.testing.assert_allclose(found.distance[:2], 0.0, atol=1e-5)
    assert found.distance[2] > 1.0


def test_the_distance_is_in_grey_levels():
    dark, light = np.zeros((1, 16, 16, 3), np.uint8), np.full((1, 16, 16, 3), 10, np.uint8)
    assert nearest_training_images(dark, light).distance[0] == pytest.approx(10.0)
