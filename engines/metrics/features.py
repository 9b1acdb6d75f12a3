"""Features of images from a small convolutional network with fixed random weights.

Random features rank generative models much like trained ones do (2208.09218), and need no download. The
weights depend on a fixed seed alone, so figures of one version of this module can be compared with each
other.
"""

import functools
import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engines.images import FloatArray, UInt8Array, to_float

SEED = 20220809
CHANNELS = (24, 48, 96)
PIXELS_AT_ONCE = 256 * 64 * 64
CPU = torch.device("cpu")


@functools.cache
@torch.inference_mode(mode=False)  # kept for what needs gradients too, wherever they were first asked for
def _weights(device: torch.device) -> tuple[Tensor, ...]:
    rng = torch.Generator().manual_seed(SEED)
    sizes = zip((3, *CHANNELS[:-1]), CHANNELS, strict=True)
    return tuple(
        (torch.randn(outputs, inputs, 5, 5, generator=rng) * math.sqrt(2 / (inputs * 25))).to(device)
        for inputs, outputs in sizes
    )


def features(images: UInt8Array, device: torch.device = CPU) -> FloatArray:
    """uint8 `[N, H, W, 3]` (sides of 16 or more) to float32 `[N, 2 * sum(CHANNELS)]`.

    For each channel of each layer the mean over the picture and the standard deviation: what there is, and
    how much it varies from place to place.
    """
    batch = max(1, PIXELS_AT_ONCE // (images.shape[1] * images.shape[2]))
    return np.concatenate(
        [_features(images[first : first + batch], device) for first in range(0, len(images), batch)]
    )


def feature_maps(x: Tensor) -> list[Tensor]:
    """Float `[N, 3, H, W]` in -1 to 1 to the output of each layer, at half the size each; differentiable."""
    found = []
    for weight in _weights(x.device):
        x = functional.leaky_relu(functional.conv2d(x, weight, stride=2, padding=2), 0.2)
        found.append(x)
    return found


@torch.inference_mode()
def _features(images: UInt8Array, device: torch.device) -> FloatArray:
    found = []
    for layer in feature_maps(torch.from_numpy(to_float(images)).to(device)):
        deviation, mean = torch.std_mean(layer, dim=(2, 3))
        found += [mean, deviation]
    result: FloatArray = torch.cat(found, dim=1).cpu().numpy()
    return result
