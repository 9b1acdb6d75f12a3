"""StyleGAN2 written down plainly from the papers (NCHW, float32), reading the modules' state dicts."""

import math

import torch
from torch.nn import functional


def blur(x, *, pad, gain=1.0):
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype)
    kernel = (torch.outer(taps, taps) / 64 * gain).expand(x.shape[1], 1, 4, 4)
    return functional.conv2d(functional.pad(x, pad), kernel, groups=x.shape[1])


def up_conv(x, weight):
    return blur(functional.conv_transpose2d(x, weight.transpose(0, 1), stride=2), pad=(1, 1, 1, 1), gain=4.0)


def down_conv(x, weight):
    return functional.conv2d(blur(x, pad=(2, 2, 2, 2)), weight, stride=2)


def down_conv_1x1(x, weight):
    return functional.conv2d(blur(x, pad=(1, 1, 1, 1))[:, :, ::2, ::2], weight)


def upsample(x):
    stuffed = torch.zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3], dtype=x.dtype)
    stuffed[:, :, ::2, ::2] = x
    return blur(stuffed, pad=(2, 1, 2, 1), gain=4.0)


def lrelu(x):
    return functional.leaky_relu(x, 0.2) * math.sqrt(2)


def fc(state, name, x, *, lr=1.0):
    weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    return functional.linear(x, weight * (lr / math.sqrt(weight.shape[1])), bias * lr)


def mapping(state, z, layers):
    x = z / (z.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()
    for index in range(layers):
        x = lrelu(fc(state, f"mapping.fc{index}", x, lr=0.01))
    return x


def synthesis_layer(state, name, x, w, *, up):
    weight = state[f"{name}.weight"]
    styles = fc(state, f"{name}.affine", w)
    outputs = []
    for sample in range(len(w)):
        kernel = weight * styles[sample, None, :, None, None]
        kernel = kernel / (kernel.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        one = x[sample : sample + 1]
        outputs.append(up_conv(one, kernel) if up else functional.conv2d(one, kernel, padding=1))
    y = torch.cat(outputs) + state[f"{name}.noise_const"] * state[f"{name}.noise_strength"]
    return lrelu(y + state[f"{name}.bias"][:, None, None])


def to_rgb(state, name, x, w):
    weight = state[f"{name}.weight"]
    styles = fc(state, f"{name}.affine", w) / math.sqrt(weight.shape[1])
    return (
        torch.einsum("oi,ni,nihw->nohw", weight[:, :, 0, 0], styles, x) + state[f"{name}.bias"][:, None, None]
    )


def synthesis(state, ws, architecture):
    """Images from `[N, num_ws, w_dim]` with constant noise."""
    x, image, index = None, None, 0
    for resolution in architecture.block_resolutions:
        block = f"synthesis.b{resolution}"
        if x is None:
            x = state[f"{block}.const"].expand(len(ws), -1, -1, -1)
        else:
            x = synthesis_layer(state, f"{block}.conv0", x, ws[:, index], up=True)
            index += 1
        x = synthesis_layer(state, f"{block}.conv1", x, ws[:, index], up=False)
        index += 1
        colours = to_rgb(state, f"{block}.torgb", x, ws[:, index])
        image = colours if image is None else upsample(image) + colours
    return image


def generator(state, z, architecture):
    """Images with constant noise, without truncation."""
    w = mapping(state, z, architecture.mapping_layers)
    return synthesis(state, w[:, None].expand(-1, architecture.num_ws, -1), architecture)


def conv(state, name, x, function):
    weight = state[f"{name}.weight"]
    return function(x, weight / math.sqrt(weight[0].numel()))


def biased(state, name, x):
    return lrelu(x + state[f"{name}.bias"][:, None, None])


def discriminator(state, images, architecture):
    def same(x, weight):
        return functional.conv2d(x, weight, padding=weight.shape[2] // 2)

    *resolutions, _ = architecture.block_resolutions[::-1]
    x = biased(state, f"b{resolutions[0]}.fromrgb", conv(state, f"b{resolutions[0]}.fromrgb", images, same))
    for resolution in resolutions:
        y = biased(state, f"b{resolution}.conv0", conv(state, f"b{resolution}.conv0", x, same))
        y = biased(state, f"b{resolution}.conv1", conv(state, f"b{resolution}.conv1", y, down_conv))
        x = (y + conv(state, f"b{resolution}.skip", x, down_conv_1x1)) / math.sqrt(2)
    groups = len(x) // 4
    deviation = torch.stack(
        [(x[g::groups].var(dim=0, correction=0) + 1e-8).sqrt().mean() for g in range(groups)]
    )
    x = torch.cat([x, deviation.repeat(4)[:, None, None, None].expand(-1, 1, 4, 4)], dim=1)
    x = biased(state, "b4.conv", conv(state, "b4.conv", x, same))
    return fc(state, "b4.out", lrelu(fc(state, "b4.fc", x.flatten(1)))).squeeze(1)
