"""What is written out by hand does what autograd makes of the plain operations."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from engines.diffusion.lora_products import Attention, Joined, LoraAttention, LoraLinear, WideGroupNorm

WIDE, RANK, HEADS = 8, 3, 2


def drawn(*shape):
    return (torch.randn(*shape) * 0.3).requires_grad_()


def frozen(inputs, *, bias):
    return nn.Linear(inputs, WIDE, bias=bias).requires_grad_(requires_grad=False)


def plain(x, layer, down, up):
    return layer(x) + x @ down.t() @ up.t()


def assert_gradients_agree(found, expected, tensors):
    weights = torch.randn_like(expected)
    own = torch.autograd.grad((found * weights).sum(), tensors)
    plain_ones = torch.autograd.grad((expected * weights).sum(), tensors)
    torch.testing.assert_close(found, expected)
    for one, other in zip(own, plain_ones, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_layer(bias):
    torch.manual_seed(0)
    layer, tensors = frozen(6, bias=bias), (drawn(2, 5, 6), drawn(RANK, 6), drawn(WIDE, RANK))
    x, *pair = tensors
    assert_gradients_agree(LoraLinear.apply(x, layer, *pair), plain(x, layer, *pair), tensors)


@pytest.mark.parametrize("text_width", [None, 5])
def test_an_attention(text_width):
    torch.manual_seed(0)
    inputs = text_width or WIDE
    layers = [frozen(width, bias=False) for width in (WIDE, inputs, inputs)] + [frozen(WIDE, bias=True)]
    pairs = [
        part for layer in layers for part in (drawn(RANK, layer.in_features), drawn(layer.out_features, RANK))
    ]
    x, text = drawn(2, 7, WIDE), None if text_width is None else drawn(2, 4, text_width)
    scale = 0.7
    attention = Attention(
        heads=HEADS,
        scale=scale,
        from_input=Joined.of(layers[:1] if text_width else layers[:3]),
        from_text=Joined.of(layers[1:3]) if text_width else None,
        out=Joined.of(layers[3:]),
    )
    read = x if text is None else text
    query, key, value = (
        plain(source, layer, *pair).unflatten(-1, (HEADS, -1)).transpose(1, 2)
        for source, layer, pair in zip(
            (x, read, read), layers, (pairs[:2], pairs[2:4], pairs[4:6]), strict=False
        )
    )
    mixed = functional.scaled_dot_product_attention(query, key, value, scale=scale)
    expected = plain(mixed.transpose(1, 2).flatten(2), layers[3], *pairs[6:])
    found = LoraAttention.apply(x, text, attention, *pairs)
    assert_gradients_agree(found, expected, [x, *([] if text is None else [text]), *pairs])


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("other_layout", [torch.channels_last, torch.contiguous_format])
def test_group_normalisation_in_half_precision(layout, other_layout):
    torch.manual_seed(0)
    norm = nn.GroupNorm(2, 6).requires_grad_(requires_grad=False)
    x = (torch.randn(3, 6, 4, 5) + 1).bfloat16()
    gradient = torch.randn(3, 6, 4, 5).bfloat16().contiguous(memory_format=other_layout)
    exact = x.float().requires_grad_()
    result = norm(exact)
    (expected,) = torch.autograd.grad(result, exact, gradient.float())
    own = x.contiguous(memory_format=layout).requires_grad_()
    found = WideGroupNorm.apply(own, norm.bfloat16())
    torch.testing.assert_close(found.float(), result, rtol=0.02, atol=0.02)
    (back,) = torch.autograd.grad(found, own, gradient)
    torch.testing.assert_close(back.float(), expected, rtol=0.05, atol=0.05)
