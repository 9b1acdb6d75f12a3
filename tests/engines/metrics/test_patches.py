import numpy as np
import pytest

from engines.metrics.patches import DIRECTIONS, QUANTILES, patch_slices, sliced_wasserstein


def blurred(images):
    wide = np.pad(images.astype(float), [(0, 0), (1, 1), (1, 1), (0, 0)], mode="edge")
    rows, columns = images.shape[1:3]
    shifted = [wide[:, y : y + rows, x : x + columns] for y in range(3) for x in range(3)]
    return np.mean(shifted, axis=0).astype(np.uint8)


def test_one_level_for_each_size_down_to_16(cats):
    assert patch_slices(cats[:16]).shape == (2, QUANTILES, DIRECTIONS)
    assert patch_slices(cats[:16, ::2, ::2]).shape == (1, QUANTILES, DIRECTIONS)


def test_a_set_is_at_no_distance_from_itself(cats):
    slices = patch_slices(cats)
    assert sliced_wasserstein(slices, patch_slices(cats)) == 0.0
    assert sliced_wasserstein(slices, patch_slices(cats[::-1])) < 60


def test_the_more_detail_is_lost_the_farther(cats):
    sharp = patch_slices(cats)
    once = blurred(cats)
    thrice = blurred(blurred(once))
    assert (
        10 < sliced_wasserstein(patch_slices(once), sharp) < sliced_wasserstein(patch_slices(thrice), sharp)
    )


def test_normal_noise_has_the_quantiles_of_the_normal_distribution():
    rng = np.random.default_rng(0)
    noise = rng.normal(128, 20, (64, 16, 16, 3)).clip(0, 255).astype(np.uint8)
    (slices,) = patch_slices(noise)
    assert slices[QUANTILES // 2] == pytest.approx(np.zeros(DIRECTIONS), abs=0.15)
    # 84.1 % of a normal distribution lie below one standard deviation.
    assert slices[round(0.841 * QUANTILES)].mean() == pytest.approx(1.0, abs=0.05)
