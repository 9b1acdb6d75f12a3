"""Sizes: what a base allows, by ratio and resolution."""

import pytest

from generation.sizes import RATIOS, nearest_ratio, resolutions, size_of


def test_a_base_is_offered_at_its_own_size_first():
    assert resolutions(128) == [128, 96, 64]


@pytest.mark.parametrize("side", [32, 128, 512, 1024])
@pytest.mark.parametrize("ratio", RATIOS)
def test_sides_are_multiples_and_the_area_stays(side, ratio):
    width, height = size_of(side, ratio, side)
    assert width % (side // 8) == height % (side // 8) == 0
    assert 0.7 < width * height / side**2 < 1.3
    across, down = RATIOS[ratio]
    assert (width > height) == (across > down)


def test_square_is_exact():
    assert size_of(64, "1:1", 128) == (64, 64)


@pytest.mark.parametrize("ratio", RATIOS)
def test_the_ratio_of_a_size_is_found_again(ratio):
    assert nearest_ratio(*size_of(1024, ratio, 1024)) == ratio
