"""Adaptive discriminator augmentation (ADA, 2006.06676): the pipeline "bgc" and the control of its strength.

Every image goes through random flips, rotations, scalings, shifts and colour changes, each drawn with
probability p, before the discriminator sees it, real or generated. Because p < 1 the generator still learns
the unaltered distribution. Transformations of a batch are built as matrices in NumPy; only samples that drew
a geometric one are resampled.
"""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

FloatArray = npt.NDArray[np.float64]
Matrices = FloatArray  # [N, 3, 3] or [N, 4, 4]

# Standard deviations of the paper (appendix B).
SHIFT_INTEGER = 0.125
SHIFT_FRACTION_STD = 0.125
SCALE_STD = 0.2
BRIGHTNESS_STD = 0.2
CONTRAST_STD = 0.5
SATURATION_STD = 1.0

LANCZOS_LOBES = 3
LUMA_AXIS = np.full(3, 1 / np.sqrt(3))


@dataclass(frozen=True)
class Augmentation:
    """One draw for a batch: where each output pixel comes from, and what happens to colours.

    `geometry` float64 `[N, 3, 3]` maps output to input coordinates (-1 to 1, x then y); `colour` float64 `[N,
    4, 4]`.
    """

    geometry: Matrices
    colour: Matrices

    def __getitem__(self, rows: slice) -> "Augmentation":
        """The draw for some of the images."""
        return Augmentation(self.geometry[rows], self.colour[rows])

    def apply(self, images: Tensor) -> Tensor:
        """float32 `[N, 3, R, R]` to the same shape; has second derivatives in `images`."""
        moved = np.flatnonzero(np.abs(self.geometry - np.eye(3)).max(axis=(1, 2)) > 1e-9)
        if len(moved):
            index = torch.from_numpy(moved).to(images.device)
            matrices = torch.from_numpy(self.geometry[moved, :2]).to(images)
            images = images.index_copy(0, index, _resample(images[index], matrices))
        if not np.array_equal(self.colour, np.broadcast_to(np.eye(4), self.colour.shape)):
            matrices = torch.from_numpy(self.colour[:, :3]).to(images)
            changed = torch.bmm(matrices[:, :, :3], images.flatten(2)) + matrices[:, :, 3:]
            images = changed.reshape(images.shape)
        return images


def draw(
    rng: np.random.Generator,
    count: int,
    *,
    p: float,
    resolution: int,
    colour: bool = True,
    rotation: bool = True,
) -> Augmentation:
    """Draw transformations for `count` images, each with probability `p` (2006.06676, appendix B)."""
    geometry = np.broadcast_to(np.eye(3), (count, 3, 3))
    if p > 0:
        geometry = _draw_geometry(rng, count, p, resolution, rotation=rotation)
    colours = np.broadcast_to(np.eye(4), (count, 4, 4))
    if p > 0 and colour:
        colours = _draw_colour(rng, count, p)
    return Augmentation(geometry, colours)


def adjusted_p(
    p: float, *, signs_mean: float, target: float, nimg: int, ada_kimg: float, p_max: float
) -> float:
    """The strength after `nimg` more images (2006.06676, section 3.1): a step up when overfitting, else down.

    `signs_mean` is the mean sign of the discriminator's logits on real images, the paper's r_t.
    """
    step = nimg / (ada_kimg * 1000.0)
    return float(np.clip(p + np.sign(signs_mean - target) * step, 0.0, p_max))


def _draw_geometry(
    rng: np.random.Generator, count: int, p: float, resolution: int, *, rotation: bool
) -> Matrices:
    """The inverse transformation, composed in the paper's order."""

    def drawn(values: FloatArray, neutral: float, probability: float = p) -> FloatArray:
        keep = rng.random(count) < probability
        return np.where(keep.reshape(-1, *[1] * (values.ndim - 1)), values, neutral)

    ones = np.ones(count)
    flip = drawn(np.where(rng.random(count) < 0.5, -1.0, 1.0), 1.0)
    matrices = _scaling(flip, ones)
    if rotation:
        quarters = rng.integers(0, 4, count).astype(np.float64)
        matrices = matrices @ _rotation(drawn(quarters * (np.pi / 2), 0.0))
    shift = drawn(rng.uniform(-SHIFT_INTEGER, SHIFT_INTEGER, (count, 2)), 0.0)
    matrices = matrices @ _translation(np.round(shift * resolution) * 2 / resolution)
    scale = drawn(np.exp2(rng.normal(0.0, SCALE_STD, count)), 1.0)
    matrices = matrices @ _scaling(1 / scale, 1 / scale)
    # Before and after the stretching, so that together they rotate with probability p.
    p_each = 1.0 - np.sqrt(1.0 - p)
    if rotation:
        matrices = matrices @ _rotation(drawn(rng.uniform(-np.pi, np.pi, count), 0.0, p_each))
    stretch = drawn(np.exp2(rng.normal(0.0, SCALE_STD, count)), 1.0)
    matrices = matrices @ _scaling(1 / stretch, stretch)
    if rotation:
        matrices = matrices @ _rotation(drawn(rng.uniform(-np.pi, np.pi, count), 0.0, p_each))
    return matrices @ _translation(drawn(rng.normal(0.0, SHIFT_FRACTION_STD, (count, 2)), 0.0) * 2)


def _draw_colour(rng: np.random.Generator, count: int, p: float) -> Matrices:
    def drawn(values: FloatArray, neutral: float) -> FloatArray:
        return np.where(rng.random(count) < p, values, neutral)

    identity = np.eye(4)
    along_luma = np.zeros((4, 4))
    along_luma[:3, :3] = np.outer(LUMA_AXIS, LUMA_AXIS)

    brightness = np.tile(identity, (count, 1, 1))
    brightness[:, :3, 3] = drawn(rng.normal(0.0, BRIGHTNESS_STD, count), 0.0)[:, None]
    contrast = np.tile(identity, (count, 1, 1))
    contrast[:, :3, :3] *= drawn(np.exp2(rng.normal(0.0, CONTRAST_STD, count)), 1.0)[:, None, None]
    flip = drawn(rng.integers(0, 2, count).astype(np.float64), 0.0)[:, None, None]
    luma_flip = identity - 2.0 * along_luma * flip
    hue = _hue_rotation(drawn(rng.uniform(-np.pi, np.pi, count), 0.0))
    amount = drawn(np.exp2(rng.normal(0.0, SATURATION_STD, count)), 1.0)[:, None, None]
    saturation = along_luma + (identity - along_luma) * amount
    saturation[:, 3, 3] = 1.0
    return saturation @ hue @ luma_flip @ contrast @ brightness


def _scaling(x: FloatArray, y: FloatArray) -> Matrices:
    matrices = np.tile(np.eye(3), (len(x), 1, 1))
    matrices[:, 0, 0] = x
    matrices[:, 1, 1] = y
    return matrices


def _rotation(angles: FloatArray) -> Matrices:
    cosines, sines = np.cos(angles), np.sin(angles)
    matrices = _scaling(cosines, cosines)
    matrices[:, 0, 1] = -sines
    matrices[:, 1, 0] = sines
    return matrices


def _translation(offsets: FloatArray) -> Matrices:
    matrices = np.tile(np.eye(3), (len(offsets), 1, 1))
    matrices[:, :2, 2] = offsets
    return matrices


def _hue_rotation(angles: FloatArray) -> Matrices:
    """Rotation of colours about the grey axis (Rodrigues' formula)."""
    x, y, z = LUMA_AXIS
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    sines, cosines = np.sin(angles)[:, None, None], np.cos(angles)[:, None, None]
    matrices = np.tile(np.eye(4), (len(angles), 1, 1))
    matrices[:, :3, :3] = np.eye(3) + sines * cross + (1.0 - cosines) * (cross @ cross)
    return matrices


def _resample(images: Tensor, matrices: Tensor) -> Tensor:
    """Sample `[K, 3, R, R]` at the places `matrices` `[K, 2, 3]` say, mirrored at the borders.

    The images are first enlarged twice with a sharp filter, so that the bilinear sampling after it hardly
    blurs.
    """
    enlarge = _lanczos_matrix(images.shape[2], images.dtype, images.device)
    enlarged = enlarge @ images @ enlarge.t()
    grid = functional.affine_grid(matrices, list(images.shape), align_corners=False)
    result: Tensor = _GridSample.apply(enlarged, grid)  # type: ignore[no-untyped-call]
    return result


@functools.cache
@torch.inference_mode(mode=False)  # cached for training too, wherever it was first asked for
def _lanczos_matrix(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """`[2 * size, size]`: doubling a line of values, mirrored at its ends, each row summing to 1."""
    matrix = np.zeros((2 * size, size))
    for row in range(2 * size):
        centre = (row + 0.5) / 2 - 0.5
        first = int(np.floor(centre)) - LANCZOS_LOBES + 1
        for column in range(first, first + 2 * LANCZOS_LOBES):
            distance = centre - column
            mirrored = (
                column if 0 <= column < size else (-column - 1 if column < 0 else 2 * size - column - 1)
            )
            matrix[row, mirrored] += np.sinc(distance) * np.sinc(distance / LANCZOS_LOBES)
    return torch.from_numpy(matrix / matrix.sum(axis=1, keepdims=True)).to(device, dtype)


class _GridSample(torch.autograd.Function):
    """Bilinear sampling at a fixed grid: linear in the images, so its backward is its adjoint and vice versa.

    PyTorch's own has no second derivative, which R1 needs.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.size = images.shape[2:]
        return functional.grid_sample(
            images, grid, mode="bilinear", padding_mode="reflection", align_corners=False
        )

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (grid,) = ctx.saved_tensors
        return _GridSampleAdjoint.apply(grad, grid, ctx.size), None  # type: ignore[no-untyped-call]


class _GridSampleAdjoint(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, grad: Tensor, grid: Tensor, size: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        images = grad.new_empty(*grad.shape[:2], *size)  # only its shape matters: sampling is linear
        bilinear, reflection, align_corners = 0, 1 + 1, False
        result: tuple[Tensor, Tensor] = torch.ops.aten.grid_sampler_2d_backward(
            grad, images, grid, bilinear, reflection, align_corners, [True, False]
        )
        return result[0]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (grid,) = ctx.saved_tensors
        return _GridSample.apply(grad, grid), None, None  # type: ignore[no-untyped-call]
