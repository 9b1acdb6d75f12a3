"""How near two pictures are: by features of a network and by a pyramid of colours, both differentiable."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from engines.checkpoint import load_tensors
from engines.errors import ModelError
from engines.images import UInt8Array, to_float
from engines.manifest import DISCRIMINATOR_FILE, STYLEGAN2, ModelInfo
from engines.metrics.features import feature_maps
from engines.stylegan.config import Architecture
from engines.stylegan.networks import Discriminator

Features = Callable[[Tensor], list[Tensor]]

PYRAMID_LEVELS = 4
LEAST_SIDE = 4  # pixels; smaller maps say nothing of where things are
GREY_LEVELS = 127.5  # in one unit of pictures that go from -1 to 1


@dataclass(frozen=True, kw_only=True)
class Nearness:
    """How far one picture is from another: 0 for the same one.

    `distance` is what `Yardstick` says; `grey_levels` the root mean square difference of pixels, of 255.
    """

    distance: float
    grey_levels: float


class Yardstick:
    """Measures pictures against one target, uint8 `[R, R, 3]`.

    The distance is the mean over feature maps of the squared difference of their directions at each place (as
    in 1801.03924, equation 1, without its learnt weights) plus `pixel_weight` times the mean over a pyramid
    of halved sizes of the squared difference of colours.
    """

    def __init__(self, target: UInt8Array, features: Features, *, pixel_weight: float) -> None:
        self._features = features
        self._pixel_weight = pixel_weight
        self._target = torch.from_numpy(to_float(target[None])).contiguous()
        with torch.no_grad():
            self._levels = _pyramid(self._target)
            self._directions = [_direction(each) for each in self._maps(self._target)]

    def distance(self, images: Tensor) -> Tensor:
        """float32 `[N, 3, R, R]` to `[N]`."""
        maps = [_direction(each) for each in self._maps(images)]
        seen = [
            (ours - theirs).square().sum(dim=1).mean(dim=(1, 2))
            for ours, theirs in zip(maps, self._directions, strict=True)
        ]
        colours = [
            (ours - theirs).square().mean(dim=(1, 2, 3))
            for ours, theirs in zip(_pyramid(images), self._levels, strict=True)
        ]
        return torch.stack(seen).mean(dim=0) + self._pixel_weight * torch.stack(colours).mean(dim=0)

    def nearness(self, images: Tensor) -> list[Nearness]:
        """The figures of float32 `[N, 3, R, R]`, clipped to what a file can show."""
        with torch.no_grad():
            shown = images.clamp(-1.0, 1.0)
            distances = self.distance(shown)
            differences = (shown - self._target).square().mean(dim=(1, 2, 3)).sqrt() * GREY_LEVELS
        return [
            Nearness(distance=distance, grey_levels=difference)
            for distance, difference in zip(distances.tolist(), differences.tolist(), strict=True)
        ]

    def _maps(self, images: Tensor) -> list[Tensor]:
        return [each for each in self._features(images) if each.shape[-1] >= LEAST_SIDE]


def features_for(info: ModelInfo, folder: Path | None) -> tuple[Features, bool]:
    """The model's own eye where its folder has a discriminator, else a network of fixed random weights.

    Returns whether it is the model's own, too. Raises ModelError for a discriminator that does not fit.
    """
    if folder is None or info.family != STYLEGAN2 or DISCRIMINATOR_FILE not in info.files:
        return feature_maps, False
    network = Discriminator(Architecture.from_dict(info.architecture)).eval()
    try:
        network.load_state_dict(load_tensors(folder / DISCRIMINATOR_FILE))
    except RuntimeError as error:
        message = f"The discriminator in {folder} does not fit its model.json. Get the model again."
        raise ModelError(message) from error
    network.requires_grad_(requires_grad=False)
    return network.feature_maps, True


def _pyramid(images: Tensor) -> list[Tensor]:
    levels = [images]
    while len(levels) < PYRAMID_LEVELS and levels[-1].shape[-1] > LEAST_SIDE:
        levels.append(functional.avg_pool2d(levels[-1], 2))
    return levels


def _direction(maps: Tensor) -> Tensor:
    return functional.normalize(maps.float(), dim=1)
