import numpy as np
import pytest

from engines.errors import DatasetError
from engines.metrics.distance import diversity, frechet, kernel_distance, random_feature_distance
from engines.metrics.features import CHANNELS, features


def test_frechet_of_normal_distributions_is_the_closed_form():
    rng = np.random.default_rng(0)
    a = rng.normal(0.0, 1.0, (200_000, 2)).astype(np.float32)
    b = (rng.normal(0.0, 1.0, (200_000, 2)) * [2.0, 3.0] + [1.0, 0.0]).astype(np.float32)
    assert frechet(a, b) == pytest.approx(1.0 + (2 - 1) ** 2 + (3 - 1) ** 2, rel=0.02)
    assert frechet(a, a) == pytest.approx(0.0, abs=1e-9)
    assert frechet(a, b) == pytest.approx(frechet(b, a))


def test_the_kernel_distance_is_the_sum_over_different_pairs():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 3)).astype(np.float32), rng.normal(size=(7, 3)).astype(np.float32)

    def mean(first, second):
        pairs = [
            (x, y) for i, x in enumerate(first) for j, y in enumerate(second) if first is not second or i != j
        ]
        return np.mean([(x @ y / 3 + 1) ** 3 for x, y in pairs])

    expected = 1000 * (mean(a, a) + mean(b, b) - 2 * mean(a, b))
    assert kernel_distance(a, b) == pytest.approx(expected, rel=1e-5)


def test_the_kernel_distance_of_equal_distributions_is_zero_on_average():
    rng = np.random.default_rng(0)
    values = [kernel_distance(*rng.normal(size=(2, 20, 4)).astype(np.float32)) for _ in range(300)]
    assert abs(np.mean(values)) < 4 * np.std(values) / 300**0.5
    assert min(values) < 0 < max(values)


def test_diversity_is_the_mean_distance_of_different_rows():
    assert diversity(np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]], np.float32)) == pytest.approx(10 / 3)


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
