"""Which layers of a synthesis network do what: coarse, middle and fine ones. No torch here.

In StyleGAN2 the w at index i drives the first convolution of its resolution or the second together with the
colours before it: 0 is 4 x 4, 1 and 2 are 8 x 8, 3 and 4 are 16 x 16, ..., the last one only the last
colours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engines.images import FloatArray
from engines.manifest import STYLEGAN3

COARSE_UP_TO, MIDDLE_UP_TO = 8, 32  # pixels, as in 1812.04948, section 3.1; less in small models


@dataclass(frozen=True)
class Bands:
    """The first `coarse` of `total` layers are coarse, those from there to `middle` middle ones."""

    coarse: int
    middle: int
    total: int

    def shares(self, *, coarse: float, middle: float, fine: float) -> FloatArray:
        """One number for each layer: float32 `[total]`."""
        counts = [self.coarse, self.middle - self.coarse, self.total - self.middle]
        return np.repeat(np.array([coarse, middle, fine], np.float32), counts)


def layer_resolutions(resolution: int) -> list[int]:
    """The side in pixels at which each w of a StyleGAN2 works first."""
    count = 2 * (resolution.bit_length() - 2)
    return [min(resolution, 4 << ((index + 1) // 2)) for index in range(count)]


def bands(family: str, architecture: Mapping[str, Any]) -> Bands:
    """The groups of layers of a model, from its model.json.

    For StyleGAN2 by resolution: coarse up to 8 x 8, middle up to 32 x 32 pixels, and in small models up to an
    eighth and a quarter of the picture's side, so that each group has something. For StyleGAN3, whose layers
    have no such resolutions, by thirds.
    """
    if family == STYLEGAN3:
        total = int(architecture["num_layers"]) + 2
        return Bands(total // 3, 2 * total // 3, total)
    resolution = int(architecture["resolution"])
    coarse = max(4, min(COARSE_UP_TO, resolution // 8))
    middle = max(2 * coarse, min(MIDDLE_UP_TO, resolution // 4))
    sides = layer_resolutions(resolution)
    return Bands(sum(side <= coarse for side in sides), sum(side <= middle for side in sides), len(sides))
