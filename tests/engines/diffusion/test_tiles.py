"""Tiles: they cover the picture, and blending untouched tiles gives the picture back."""

import itertools

import numpy as np
import pytest

from engines.diffusion.tiles import blend, cut, enlarge, tiling_of


@pytest.mark.parametrize(("width", "height"), [(32, 32), (64, 64), (80, 48), (48, 112), (128, 128)])
def test_blending_what_was_cut_gives_the_picture_back(width, height):
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    tiling = tiling_of(width, height, 64)
    large = enlarge(picture, tiling)
    assert large.shape == (2 * height, 2 * width, 3)
    tiles = cut(large, tiling)
    assert {tile.shape for tile in tiles} == {(min(64, 2 * height), min(64, 2 * width), 3)}
    np.testing.assert_array_equal(blend(tiles, tiling), large)


def test_neighbours_share_at_least_a_fourth():
    corners = tiling_of(96, 32, 64).corners
    lefts = sorted({left for left, _upper in corners})
    assert lefts[0] == 0
    assert lefts[-1] == 128
    assert all(after - before <= 48 for before, after in itertools.pairwise(lefts))


def test_seams_fade():
    """Two tiles of different brightness meet without an edge."""
    tiling = tiling_of(48, 32, 64)
    count = len(tiling.corners)
    tiles = [np.full((64, 64, 3), 40 + 120 * number, np.uint8) for number in range(count)]
    row = blend(tiles, tiling)[32, :, 0].astype(int)
    assert np.abs(np.diff(row)).max() < 12
