"""The operations StyleGAN2 is built from, arranged for speed on processors and for double backward.

Feature maps are logically `[N, C, H, W]` with channels-last memory. Resampling follows StyleGAN2 (1912.04958,
appendix B): the filter [1, 3, 3, 1] next to a convolution of stride 2. The filter is a depthwise convolution,
whose own backward is many times slower than its forward; but the filter is symmetric, so its adjoint is
another forward, and so are all further derivatives.
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
def _depthwise_filter(channels: int, gain: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The filter times `gain` for each of `channels`: `[channels, 1, 4, 4]`."""
    return (filter_2d() * gain).expand(channels, 1, -1, -1).to(device, dtype, copy=True)


def _filtered(x: Tensor, padding: int, *, stride: int = 1, gain: float = 1.0) -> Tensor:
    channels = x.shape[1]
    kernel = _depthwise_filter(channels, gain, x.dtype, x.device)
    return functional.conv2d(x, kernel, padding=padding, stride=stride, groups=channels)


# torch leaves `Function.apply` untyped: hence `no-untyped-call` at each call of one below.


class _Filter(torch.autograd.Function):
    """The filter times `gain`, zeros around: `[N, C, H, W]` to H + 2 * padding - 3 rows; columns alike."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, padding: int, gain: float) -> Tensor:
        ctx.padding, ctx.gain = padding, gain
        return _filtered(x, padding, gain=gain)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        adjoint: Tensor = _Filter.apply(grad, 3 - ctx.padding, ctx.gain)  # type: ignore[no-untyped-call]
        return adjoint, None, None


class _FilterDown(torch.autograd.Function):
    """The filter, then every second pixel: `[N, C, H, W]` to `[N, C, H / 2, W / 2]`."""

    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        return _filtered(x, 1, stride=2)

    @staticmethod
    def backward(_ctx: Any, grad: Tensor) -> Tensor:
        adjoint: Tensor = _FilterDownAdjoint.apply(grad)  # type: ignore[no-untyped-call]
        return adjoint


class _FilterDownAdjoint(torch.autograd.Function):
    """Zeros between the pixels, then the filter: `[N, C, H, W]` to `[N, C, 2H, 2W]`."""

    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        stuffed = x.new_zeros(n, 2 * height + 3, 2 * width + 3, channels).permute(0, 3, 1, 2)
        stuffed[:, :, 2 : 2 * height + 2 : 2, 2 : 2 * width + 2 : 2] = x
        return _filtered(stuffed, 0)

    @staticmethod
    def backward(_ctx: Any, grad: Tensor) -> Tensor:
        adjoint: Tensor = _FilterDown.apply(grad)  # type: ignore[no-untyped-call]
        return adjoint


def up_conv(x: Tensor, weight: Tensor) -> Tensor:
    """Transposed convolution with `weight` (float32 `[O, I, 3, 3]`) at stride 2, then the filter with gain 4.

    `[N, I, H, W]` to `[N, O, 2H, 2W]`, in the dtype of `x`.
    """
    stretched = functional.conv_transpose2d(x, weight.to(x.dtype).transpose(0, 1), stride=2)
    y: Tensor = _Filter.apply(stretched, 1, 4.0)  # type: ignore[no-untyped-call]
    return y


def down_conv(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The filter, then convolution with `weight` (float32 `[O, I, 3, 3]`) at stride 2.

    `[N, I, H, W]` with even sides to `[N, O, H/2, W/2]`, in the dtype of `x`.
    """
    bias = None if bias is None else bias.to(x.dtype)
    filtered: Tensor = _Filter.apply(x, 2, 1.0)  # type: ignore[no-untyped-call]
    return functional.conv2d(filtered, weight.to(x.dtype), bias, stride=2)


def down_conv_1x1(x: Tensor, weight: Tensor) -> Tensor:
    """The filter, every second pixel, then `weight` (float32 `[O, I, 1, 1]`). Shapes as in `down_conv`."""
    filtered: Tensor = _FilterDown.apply(x)  # type: ignore[no-untyped-call]
    return functional.conv2d(filtered, weight.to(x.dtype))


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
    # An export to ONNX loses what is written in place into a view. torch has no types for what asks for it.
    if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]  # see above
        y = x * scale[:, :, None, None] + noise * strength + bias[:, None, None]
        return functional.leaky_relu(y, SLOPE) * GAIN
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


def minibatch_stddev(x: Tensor, *, group_size: int = 4) -> Tensor:
    """Append one channel with the standard deviation within groups of samples (1710.10196, section 3).

    Sample n of N belongs to group n modulo (N / group_size), as in StyleGAN2. `[N, C, H, W]` to
    `[N, C + 1, H, W]`.
    """
    n, _, height, width = x.shape
    group_size = math.gcd(group_size, n)
    grouped = x.reshape(group_size, n // group_size, -1)
    deviation = (grouped.var(dim=0, correction=0) + EPSILON).sqrt().mean(dim=1)
    channel = deviation.repeat(group_size).reshape(n, 1, 1, 1).expand(n, 1, height, width)
    return torch.cat([x, channel], dim=1)
