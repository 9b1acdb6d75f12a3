"""The merged and fused operations against plain formulas of the papers, and their second derivatives."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional

from engines.stylegan import ops

from . import plain

TOLERANCE = {"rtol": 1e-4, "atol": 1e-4}


def random(*shape, dtype=torch.float32, grad=False):
    return torch.randn(
        *shape, dtype=dtype, generator=torch.Generator().manual_seed(sum(shape))
    ).requires_grad_(grad)


@pytest.mark.parametrize("size", [4, 6, 16])
def test_up_conv_is_transposed_convolution_then_filter(size):
    x, weight = random(2, 3, size, size), random(5, 3, 3, 3)
    torch.testing.assert_close(ops.up_conv(x, weight), plain.up_conv(x, weight), **TOLERANCE)


@pytest.mark.parametrize("size", [4, 6, 16])
def test_down_conv_is_filter_then_strided_convolution(size):
    x, weight, bias = random(2, 3, size, size), random(5, 3, 3, 3), random(5)
    expected = plain.down_conv(x, weight) + bias[:, None, None]
    torch.testing.assert_close(ops.down_conv(x, weight, bias), expected, **TOLERANCE)


def test_down_conv_1x1_is_filter_then_every_second_pixel():
    x, weight = random(2, 3, 8, 8), random(5, 3, 1, 1)
    torch.testing.assert_close(ops.down_conv_1x1(x, weight), plain.down_conv_1x1(x, weight), **TOLERANCE)


def test_upsample_is_zero_stuffing_then_filter():
    x = random(2, 3, 8, 8)
    torch.testing.assert_close(ops.upsample(x), plain.upsample(x), **TOLERANCE)


def test_resampling_keeps_channels_last_memory():
    x = random(2, 16, 8, 8).to(memory_format=torch.channels_last)
    for y in (ops.up_conv(x, random(16, 16, 3, 3)), ops.down_conv(x, random(16, 16, 3, 3))):
        assert y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("operation", [plain.up_conv, plain.down_conv, plain.down_conv_1x1])
def test_gradients_equal_those_of_the_plain_formula(operation):
    """First derivatives, and the second that R1 and path length need."""
    ours = {
        plain.up_conv: ops.up_conv,
        plain.down_conv: ops.down_conv,
        plain.down_conv_1x1: ops.down_conv_1x1,
    }
    size = 1 if operation is plain.down_conv_1x1 else 3
    results = []
    for function in (operation, ours[operation]):
        x, weight = random(2, 3, 8, 8, grad=True), random(4, 3, size, size, grad=True)
        y = function(x, weight).square().sum()
        (inner,) = torch.autograd.grad(y, x, create_graph=True)
        results.append([inner, *torch.autograd.grad(inner.square().sum(), (x, weight))])
    for expected, actual in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-2)


def fused_inputs(dtype, grad):
    x = random(2, 3, 4, 4, dtype=dtype).to(memory_format=torch.channels_last).detach().requires_grad_(grad)
    noise = random(2, 1, 4, 4, dtype=dtype)
    return (
        x,
        random(2, 3, dtype=dtype, grad=grad),
        noise,
        random(1, dtype=dtype, grad=grad).sum(),
        random(3, dtype=dtype, grad=grad),
    )


def test_scale_noise_bias_activate_is_its_formula():
    x, scale, noise, strength, bias = fused_inputs(torch.float32, grad=False)
    expected = x * scale[:, :, None, None] + noise * strength + bias[:, None, None]
    expected = functional.leaky_relu(expected, 0.2) * 2**0.5
    actual = ops.scale_noise_bias_activate(x, scale, noise, strength, bias)
    torch.testing.assert_close(actual, expected)
    assert actual.is_contiguous(memory_format=torch.channels_last)


def test_scale_noise_bias_activate_has_two_derivatives():
    x, scale, noise, _, bias = fused_inputs(torch.float64, grad=True)
    strength = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)

    def function(x, scale, strength, bias):
        return ops.scale_noise_bias_activate(x, scale, noise, strength, bias)

    assert gradcheck(function, (x, scale, strength, bias))
    assert gradgradcheck(function, (x, scale, strength, bias))


def test_demodulation_normalises_each_modulated_kernel():
    weight, styles = random(5, 3, 3, 3), random(2, 3)
    kernels = (
        weight[None]
        * styles[:, None, :, None, None]
        * ops.demodulation(weight, styles)[:, :, None, None, None]
    )
    torch.testing.assert_close(kernels.square().sum((2, 3, 4)), torch.ones(2, 5))


def test_modulated_conv_equals_a_kernel_for_each_sample():
    x, weight, styles = random(2, 3, 6, 6), random(5, 3, 3, 3), random(2, 3)
    for sample in range(2):
        kernel = weight * styles[sample, None, :, None, None]
        expected = functional.conv2d(x[sample : sample + 1], kernel, padding=1)
        actual = ops.modulated_conv(x, weight, styles, up=False)[sample : sample + 1]
        torch.testing.assert_close(actual, expected, **TOLERANCE)
    colours = ops.modulated_1x1(x, weight[:, :, :1, :1], styles)
    expected = torch.einsum("oi,ni,nihw->nohw", weight[:, :, 0, 0], styles, x)
    torch.testing.assert_close(colours, expected, **TOLERANCE)


def test_minibatch_stddev_groups_samples_as_the_paper_does():
    x = random(8, 3, 4, 4)
    appended = ops.minibatch_stddev(x, group_size=4)[:, 3]
    for first in range(2):
        group = x[first::2]
        expected = (group.var(dim=0, correction=0) + 1e-8).sqrt().mean()
        torch.testing.assert_close(appended[first::2], expected.expand(4, 4, 4))
