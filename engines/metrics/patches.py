"""Sliced Wasserstein distance between patches of Laplacian pyramids (1710.10196, section 5).

Each level of the pyramid holds detail of one size; patches of it are compared along random directions, where
the Wasserstein distance is that between sorted values.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engines.images import FloatArray, UInt8Array, to_float
from engines.metrics.features import CPU, PIXELS_AT_ONCE

SEED = 17101
COARSEST = 16  # pixels a side of the last level
SIDE = 7  # of a patch
PATCHES = 32  # of each image on each level
DIRECTIONS = 64
QUANTILES = 512  # of each direction, which stand for all its sorted values
SCALE = 1000.0  # the paper's unit
BINOMIAL = (1.0, 4.0, 6.0, 4.0, 1.0)

Slices = FloatArray  # [levels, QUANTILES, DIRECTIONS]


@torch.inference_mode()
def patch_slices(images: UInt8Array, device: torch.device = CPU) -> Slices:
    """Quantiles of the images' patches along fixed random directions, for `sliced_wasserstein`.

    uint8 `[N, H, W, 3]`, square with a power of two from 16 up as side, to float32 `[levels, QUANTILES,
    DIRECTIONS]`.
    """
    rng = np.random.default_rng(SEED)
    batch = max(1, PIXELS_AT_ONCE // (images.shape[1] * images.shape[2]))
    found: list[list[Tensor]] = []
    for first in range(0, len(images), batch):
        x = torch.from_numpy(to_float(images[first : first + batch])).to(device)
        found.append([_patches(level, rng) for level in _pyramid(x)])
    slices = [_quantiles(torch.cat(level)) for level in zip(*found, strict=True)]
    result: FloatArray = torch.stack(slices).cpu().numpy()
    return result


def sliced_wasserstein(a: Slices, b: Slices) -> float:
    """Distance between two sets of images by their `patch_slices`, the mean over levels, times 1000."""
    return float(np.abs(a - b).mean(dtype=np.float64) * SCALE)


def _pyramid(x: Tensor) -> Sequence[Tensor]:
    """`[N, 3, R, R]` to what each size adds to the next coarser one, and the coarsest."""
    levels = []
    while x.shape[2] > COARSEST:
        coarser = _halved(x)
        finer = functional.interpolate(coarser, scale_factor=2, mode="bilinear", align_corners=False)
        levels.append(x - finer)
        x = coarser
    return [*levels, x]


def _halved(x: Tensor) -> Tensor:
    taps = torch.tensor(BINOMIAL, device=x.device) / sum(BINOMIAL)
    kernel = torch.outer(taps, taps).expand(3, 1, -1, -1)
    return functional.conv2d(functional.pad(x, [2] * 4, mode="reflect"), kernel, stride=2, groups=3)


def _patches(level: Tensor, rng: np.random.Generator) -> Tensor:
    """`[N, 3, S, S]` to `[N * PATCHES, 3 * SIDE * SIDE]`, from random places."""
    count, _, side, _ = level.shape
    corners = torch.from_numpy(rng.integers(0, side - SIDE + 1, (2, count, PATCHES))).to(level.device)
    steps = torch.arange(SIDE, device=level.device)
    rows, columns = (corner[:, :, None] + steps for corner in corners)
    image = torch.arange(count, device=level.device)[:, None, None, None]
    found = level.permute(0, 2, 3, 1)[image, rows[:, :, :, None], columns[:, :, None, :]]
    return found.reshape(count * PATCHES, SIDE, SIDE, 3)


def _quantiles(patches: Tensor) -> Tensor:
    """`[N, SIDE, SIDE, 3]`, colours brought to mean 0 and deviation 1, to `[QUANTILES, DIRECTIONS]`."""
    deviation, mean = torch.std_mean(patches, dim=(0, 1, 2))
    flat = ((patches - mean) / (deviation + 1e-8)).flatten(1)
    rng = torch.Generator().manual_seed(SEED)
    directions = torch.randn(flat.shape[1], DIRECTIONS, generator=rng).to(flat.device)
    ordered = (flat @ (directions / directions.norm(dim=0))).sort(dim=0).values
    picked = torch.arange(QUANTILES, device=flat.device) * len(ordered) // QUANTILES
    quantiles: Tensor = ordered[picked + len(ordered) // (2 * QUANTILES)]
    return quantiles
