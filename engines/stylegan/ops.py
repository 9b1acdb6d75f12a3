"""The operations StyleGAN2 is built from, arranged for speed on processors and for double backward.

Feature maps are logically `[N, C, H, W]` with channels-last memory. Resampling follows StyleGAN2 (1912.04958,
appendix B): the filter [1, 3, 3, 1]. A convolution next to it is linear too, so both are merged into one
kernel on the coarse grid (`up_conv`, `down_conv`): no filtered full-size map is ever written, and autograd
needs nothing but convolutions.
"""

import functools
import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

FILTER = (1.0, 3.0, 3.0, 1.0)
SLOPE = 0.2  # of the leaky ReLU
GAIN = math.sqrt(2.0)  # keeps the variance through a leaky ReLU (He et al. 2015)
EPSILON = 1e-8


def filter_2d() -> Tensor:
    """The resampling filter as float32 `[4, 4]`, summing to 1 (what checkpoints call `resample_filter`)."""
    taps = torch.tensor(FILTER)
    kernel = torch.outer(taps, taps)
    return kernel / kernel.sum()


@functools.cache
@torch.inference_mode(mode=False)  # cached for training too, wherever it was first asked for
def _filter_2d(device: torch.device) -> Tensor:
    return filter_2d().to(device)


@functools.cache
@torch.inference_mode(mode=False)
def _merging_matrix(direction: str, device: torch.device) -> Tensor:
    """`[36, 9]`: from a flattened 3x3 kernel to its four phases of 3x3 with the filter merged in.

    Along one axis, with w the kernel and f the filter, the merged kernel has six taps. Upsampling: K[m] = sum
    over j - k = m - 1 of w[j] f[k], for the offset m = (fine position) - 2 (coarse position), with gain 2.
    Downsampling: K[m] = sum over j + k = m + 2 of w[j] f[k], for m = (fine position) - 2 (coarse position).
    The phase p = m mod 2 becomes a channel, the rest a tap q of a 3-tap kernel.
    """
    taps = torch.tensor(FILTER) / sum(FILTER)
    axis = torch.zeros(2, 3, 3)  # phase p, tap q, tap j of the given kernel
    for p in range(2):
        for q in range(3):
            for j in range(3):
                k = j - p - 1 + 2 * q if direction == "up" else 2 * q + p - j
                if 0 <= k < len(FILTER):
                    axis[p, q, j] = taps[k] * (2.0 if direction == "up" else 1.0)
    return torch.einsum("pqj,rsl->prqsjl", axis, axis).reshape(36, 9).to(device)


def _merged_kernel(weight: Tensor, direction: str) -> Tensor:
    """`[O, I, 3, 3]` to `[O, I, 2, 2, 3, 3]` (phases, taps)."""
    matrix = _merging_matrix(direction, weight.device)
    return (weight.flatten(2) @ matrix.t()).reshape(*weight.shape[:2], 2, 2, 3, 3)


def up_conv(x: Tensor, weight: Tensor) -> Tensor:
    """Transposed convolution with `weight` (float32 `[O, I, 3, 3]`) at stride 2, then the filter with gain 4.

    `[N, I, H, W]` to `[N, O, 2H, 2W]`, in the dtype of `x`.
    """
    outputs, inputs = weight.shape[:2]
    kernel = _merged_kernel(weight, "up").permute(2, 3, 0, 1, 4, 5).reshape(4 * outputs, inputs, 3, 3)
    y = functional.conv2d(x, kernel.to(x.dtype), padding=1)
    n, _, height, width = y.shape
    y = y.permute(0, 2, 3, 1).reshape(n, height, width, 2, 2 * outputs).transpose(2, 3)
    return y.reshape(n, 2 * height, 2 * width, outputs).permute(0, 3, 1, 2)


def down_conv(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The filter, then convolution with `weight` (float32 `[O, I, 3, 3]`) at stride 2.

    `[N, I, H, W]` with even sides to `[N, O, H/2, W/2]`, in the dtype of `x`.
    """
    outputs, inputs = weight.shape[:2]
    kernel = _merged_kernel(weight, "down").permute(0, 2, 3, 1, 4, 5).reshape(outputs, 4 * inputs, 3, 3)
    n, _, height, width = x.shape
    x = x.permute(0, 2, 3, 1).reshape(n, height // 2, 2, width // 2, 2 * inputs).transpose(2, 3)
    x = x.reshape(n, height // 2, width // 2, 4 * inputs).permute(0, 3, 1, 2)
    return functional.conv2d(x, kernel.to(x.dtype), None if bias is None else bias.to(x.dtype), padding=1)


def down_conv_1x1(x: Tensor, weight: Tensor) -> Tensor:
    """The filter, every second pixel, then `weight` (float32 `[O, I, 1, 1]`). Shapes as in `down_conv`."""
    kernel = (weight * _filter_2d(weight.device)).to(x.dtype)
    return functional.conv2d(x, kernel, stride=2, padding=1)


@functools.cache
@torch.inference_mode(mode=False)
def _upsampling_matrix(size: int, device: torch.device) -> Tensor:
    """Float32 `[2 * size, size]`: the filter applied to a zero-stuffed line of `size` values, with gain 2."""
    matrix = torch.zeros(2 * size, size)
    for row in range(2 * size):
        for column in range(size):
            k = 2 * column - row + 2
            if 0 <= k < len(FILTER):
                matrix[row, column] = FILTER[k] * 2.0 / sum(FILTER)
    return matrix.to(device)


def upsample(images: Tensor) -> Tensor:
    """Twice the size with the filter, for few channels: `[N, C, H, W]` to `[N, C, 2H, 2W]`, float32."""
    rows, columns = (_upsampling_matrix(size, images.device) for size in images.shape[2:])
    return rows @ images @ columns.t()


class _ScaleNoiseBiasActivate(torch.autograd.Function):
    """leaky_relu(x * scale + noise_and_one^T @ table) in as few passes over memory as possible.

    Noise and bias enter through one matrix product in place, because adding a broadcast along channels is
    several times slower in bfloat16. The backward consists of differentiable operations, so that path-length
    regularisation can go through it.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, noise_and_one: Tensor, table: Tensor) -> Tensor:
        y = x * scale
        _pixels(y).baddbmm_(noise_and_one.transpose(1, 2), table.expand(len(y), -1, -1))
        functional.leaky_relu_(y, SLOPE)
        ctx.save_for_backward(x, scale, noise_and_one, y)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, Tensor]:
        x, scale, noise_and_one, y = ctx.saved_tensors
        grad = torch.ops.aten.leaky_relu_backward(grad, y, SLOPE, True)
        grad_table = torch.bmm(noise_and_one, _pixels(grad)).sum(0)
        return grad * scale, (grad * x).sum((2, 3), keepdim=True), None, grad_table


def _pixels(x: Tensor) -> Tensor:
    """`[N, C, H, W]` in channels-last memory seen as `[N, H * W, C]`."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, x.shape[1])


def scale_noise_bias_activate(
    x: Tensor, scale: Tensor, noise: Tensor, strength: Tensor, bias: Tensor
) -> Tensor:
    """`sqrt(2) * leaky_relu(x * scale + noise * strength + bias)` in the dtype of `x`.

    x `[N, C, H, W]`; float32: scale `[N, C]`, noise `[N, 1, H, W]`, strength `[]`, bias `[C]`. The gain is
    moved inside, where it multiplies small tensors only: a leaky ReLU commutes with positive factors.
    """
    noise_and_one = torch.cat([noise, torch.ones_like(noise)], dim=1).flatten(2).to(x.dtype)
    table = torch.stack([strength.expand_as(bias), bias]) * GAIN
    scale = (scale * GAIN).to(x.dtype)[:, :, None, None]
    result: Tensor = _ScaleNoiseBiasActivate.apply(  # type: ignore[no-untyped-call]
        x, scale, noise_and_one, table.to(x.dtype)
    )
    return result


def demodulation(weight: Tensor, styles: Tensor) -> Tensor:
    """1 / norm of the modulated kernels (1912.04958, equation 3).

    weight `[O, I, k, k]`, styles `[N, I]` to `[N, O]`.

    sum over i, k of (s_i w_oik)^2 = s^2 @ sum_k w^2, so the modulated kernels of a batch are never built.
    """
    return torch.rsqrt(styles.square() @ weight.square().sum((2, 3)).t() + EPSILON)


def modulated_conv(x: Tensor, weight: Tensor, styles: Tensor, *, up: bool) -> Tensor:
    """Convolution of `x * styles` with `weight` (not demodulated), at twice the size where `up`."""
    x = x * styles.to(x.dtype)[:, :, None, None]
    return up_conv(x, weight) if up else functional.conv2d(x, weight.to(x.dtype), padding=1)


def modulated_1x1(x: Tensor, weight: Tensor, styles: Tensor) -> Tensor:
    """1x1 convolution with a kernel for each sample, without demodulation.

    x `[N, I, H, W]`, weight `[O, I, 1, 1]`, styles `[N, I]` to float32 `[N, O, H, W]`, for few outputs
    (colours).
    """
    n, _, height, width = x.shape
    kernels = (weight.flatten(1) * styles[:, None, :]).to(x.dtype)  # [N, O, I]
    y = torch.bmm(
        _pixels(x), kernels.transpose(1, 2)
    )  # this order, so that gradients come back channels-last
    return y.float().transpose(1, 2).reshape(n, -1, height, width)


def minibatch_stddev(x: Tensor, *, group_size: int = 4, batches: int = 1) -> Tensor:
    """Append one channel with the standard deviation within groups of samples (1710.10196, section 3).

    `x` holds `batches` batches one after another, and no group reaches across two. Within a batch of N,
    sample n belongs to group n modulo (N / group_size), as in StyleGAN2. `[batches * N, C, H, W]` to
    `[batches * N, C + 1, H, W]`.
    """
    total, _, height, width = x.shape
    group_size = math.gcd(group_size, total // batches)
    grouped = x.reshape(batches, group_size, total // batches // group_size, -1)
    deviation = (grouped.var(dim=1, correction=0) + EPSILON).sqrt().mean(dim=2)  # [batches, groups]
    channel = deviation.repeat(1, group_size).reshape(total, 1, 1, 1).expand(total, 1, height, width)
    return torch.cat([x, channel], dim=1)
