"""The formula of the endless map: a smooth random landscape of z over the plane. No torch here.

A place u of the plane has the latent

    z(u) = A f(u),    f(u) = [cos(k_1 u), sin(k_1 u), ..., cos(k_M u), sin(k_M u)] / sqrt(M)

with M wave vectors k_m drawn from a standard normal distribution over the plane and a matrix A of standard
normal numbers, all from the map's seed (random Fourier features: Rahimi and Recht 2007). What follows:

- |f(u)| = 1 everywhere, so every z(u) is as standard normal as the latents the model was trained on: tiles
  far out are as good as those in the middle, there is no edge.
- Two places resemble each other as f(u) f(v) = mean of cos(k_m (u - v)), about exp(-|u - v|^2 / 2): near 1
  for neighbours, near 0 (some 0.04) from three lengths on, so nothing comes back within sight.
- It is a function of the place alone: any tile can be made by itself, in any order. A place that two zoom
  levels share is the same number in both, since steps are halved exactly.

**Centre.** With a point c at the middle, w(u) = w_map(u) + f(u) f(0) (c - w_map(0)): the map as it would be,
given that it is c there (conditioning of a Gaussian process, Matheron's rule). At the middle that is c
itself; three lengths away nothing is left of it. Its spread stays what it was, if c is a usual point.

**Axes.** Along two principal directions of W the coordinate of each tile is set instead of drawn: from the
middle it grows by one standard deviation for each length at first, then ever more slowly towards a limit
within which pictures stay plausible, `bounded`. All else changes `DRIFT` times as fast as it would. So the
way to the right means the same everywhere, and the map still has no end.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engines.images import FloatArray
from engines.stylegan.points import LatentMap, Tile

DoubleArray = npt.NDArray[np.float64]

WAVES = 256  # M
STREAM = 9004  # sets these random numbers apart from others of the same seed
DRIFT = 1 / 8  # of all that is not an axis
AXIS_LIMIT = 2.5  # standard deviations from the mean
LEAST_REACH = 0.5  # of an axis to the side on which the middle is beyond the limit already


@dataclass(frozen=True)
class Landscape:
    """`waves` `[M, 2]` and `mixing` `[2 M, z_dim]`: k and A, transposed."""

    waves: DoubleArray
    mixing: DoubleArray

    @classmethod
    @functools.lru_cache(maxsize=8)
    def of(cls, seed: int, z_dim: int) -> "Landscape":
        """The landscape of a map's seed for models with `z_dim` numbers in z."""
        rng = np.random.default_rng([STREAM, seed])
        return cls(rng.standard_normal((WAVES, 2)), rng.standard_normal((2 * WAVES, z_dim)))

    def z(self, places: DoubleArray) -> FloatArray:
        """Latents of places: `[N, 2]` to float32 `[N, z_dim]`."""
        # einsum, not a matrix product: its rounding is the same in any company.
        z: FloatArray = np.einsum("nf,fz->nz", self._features(places), self.mixing).astype(np.float32)
        return z

    def likeness(self, places: DoubleArray) -> FloatArray:
        """How much places resemble the middle: `[N, 2]` to float32 `[N]`, 1 at the middle itself."""
        likeness: FloatArray = np.cos(self._angles(places)).mean(axis=1).astype(np.float32)
        return likeness

    def _features(self, places: DoubleArray) -> DoubleArray:
        angles = self._angles(places)
        return np.concatenate([np.cos(angles), np.sin(angles)], axis=1) / math.sqrt(WAVES)

    def _angles(self, places: DoubleArray) -> DoubleArray:
        return places[:, :1] * self.waves[:, 0] + places[:, 1:] * self.waves[:, 1]


def places_of(latent_map: LatentMap, tiles: Sequence[Tile]) -> DoubleArray:
    """Where tiles lie on the plane: `[N, 2]`."""
    return np.array([tile.place(latent_map.distance) for tile in tiles], np.float64).reshape(-1, 2)


def bounded(start: DoubleArray, way: DoubleArray, limit: float = AXIS_LIMIT) -> DoubleArray:
    """How far along an axis one has come after `way`, all in standard deviations: monotone, slope 1 at first.

    `start` is the coordinate of the middle; the sum stays within +-`limit`, or within LEAST_REACH of a start
    that is near the limit or beyond. Arrays broadcast.
    """
    reach = np.maximum(np.where(way > 0, limit - start, limit + start), LEAST_REACH)
    gone: DoubleArray = reach * np.tanh(way / reach)
    return gone
