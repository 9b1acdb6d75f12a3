"""Larger pictures in overlapping tiles, each of the size that a base is good at. NumPy and Pillow only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from engines.images import FloatArray, UInt8Array

FACTOR = 2
_OVERLAP = 4  # at least a fourth of a tile's side is shared with its neighbour


@dataclass(frozen=True, kw_only=True)
class Tiling:
    """Where tiles of `across` x `down` pixels lie on a picture of `width` x `height` pixels."""

    width: int
    height: int
    across: int
    down: int

    @property
    def corners(self) -> list[tuple[int, int]]:
        """Left and upper edge of each tile, row by row."""
        columns, rows = _starts(self.width, self.across), _starts(self.height, self.down)
        return [(left, upper) for upper in rows for left in columns]


def tiling_of(width: int, height: int, base_side: int) -> Tiling:
    """The tiles of a picture that is `FACTOR` times as large, none larger than `base_side` each way."""
    width, height = width * FACTOR, height * FACTOR
    return Tiling(width=width, height=height, across=min(width, base_side), down=min(height, base_side))


def enlarge(picture: UInt8Array, tiling: Tiling) -> UInt8Array:
    """A picture uint8 `[h, w, 3]` at the tiling's size, by Lanczos."""
    size = (tiling.width, tiling.height)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def cut(picture: UInt8Array, tiling: Tiling) -> list[UInt8Array]:
    """The tiles, uint8 `[down, across, 3]`, of a picture of the tiling's size."""
    return [
        picture[upper : upper + tiling.down, left : left + tiling.across] for left, upper in tiling.corners
    ]


def blend(tiles: Sequence[UInt8Array], tiling: Tiling) -> UInt8Array:
    """One picture uint8 `[height, width, 3]`: where tiles overlap, each fades out towards its edges."""
    total: FloatArray = np.zeros((tiling.height, tiling.width, 3), np.float32)
    weights: FloatArray = np.zeros((tiling.height, tiling.width, 1), np.float32)
    weight = (_ramp(tiling.down)[:, None] * _ramp(tiling.across)[None, :])[..., None]
    for (left, upper), pixels in zip(tiling.corners, tiles, strict=True):
        total[upper : upper + tiling.down, left : left + tiling.across] += weight * pixels
        weights[upper : upper + tiling.down, left : left + tiling.across] += weight
    return np.asarray((total / weights).round(), np.uint8)


def _ramp(side: int) -> FloatArray:
    """Weights that rise from an edge over the width of an overlap and fall towards the other edge."""
    rising = np.minimum(np.arange(1, side + 1), np.arange(side, 0, -1))
    return np.minimum(rising, max(1, side // _OVERLAP)).astype(np.float32)


def _starts(length: int, tile: int) -> list[int]:
    """Where tiles start along a side, evenly, the last one at its end."""
    steps = -(-(length - tile) // (tile - tile // _OVERLAP))
    return [round(number * (length - tile) / steps) for number in range(steps + 1)] if steps else [0]
