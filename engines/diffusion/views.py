"""What a training sees of its pictures: crops in the nearest of a few ratios, as latents, made once.

Ratios keep the area near the base's square (aspect-ratio buckets, as NovelAI described them in 2022), so that
nothing of a portrait is cut off only because pictures are square.
"""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from engines.diffusion.base import Base
from engines.diffusion.config import TrainConfig, TrainPicture
from engines.diffusion.randomness import Purpose, numpy_rng
from engines.errors import DatasetError
from engines.images import load_rgb

WIDEST = 2.0  # ratio of the sides
ENCODED_AT_ONCE = 8
Size = tuple[int, int]  # width, height


@dataclass(frozen=True)
class View:
    """One crop: its picture's number, its bucket, and where its latents lie in the bucket."""

    picture: int
    bucket: Size
    row: int


@dataclass(frozen=True)
class Views:
    """All crops of all pictures, and their latents `[N, C, H, W]` by bucket."""

    views: tuple[View, ...]
    latents: dict[Size, Tensor]

    def by_bucket(self) -> dict[Size, list[View]]:
        """The views of each bucket, in a fixed order."""
        grouped: dict[Size, list[View]] = {}
        for view in self.views:
            grouped.setdefault(view.bucket, []).append(view)
        return dict(sorted(grouped.items()))


def buckets(resolution: int, multiple: int) -> tuple[Size, ...]:
    """Widths and heights in multiples of `multiple`, of about `resolution` squared pixels, square first."""
    found = {(resolution, resolution)}
    for width in range(multiple, round(resolution * WIDEST) + 1, multiple):
        height = round(resolution**2 / width / multiple) * multiple
        if height and max(width / height, height / width) <= WIDEST:
            found.add((width, height))
    return tuple(sorted(found, key=lambda size: (abs(np.log(size[0] / size[1])), size)))


def nearest_bucket(width: int, height: int, sizes: tuple[Size, ...]) -> Size:
    """The bucket whose ratio is nearest to the picture's."""
    return min(sizes, key=lambda size: abs(np.log(size[0] / size[1]) - np.log(width / height)))


def encode_views(base: Base, config: TrainConfig) -> Views:
    """Cut and encode all pictures; the same for the same seed. Raises DatasetError for unreadable ones."""
    resolution = config.resolution or base.resolution
    sizes = buckets(resolution // base.multiple * base.multiple, base.multiple)
    views: list[View] = []
    crops: dict[Size, list[np.ndarray]] = {}
    for number, picture in enumerate(config.pictures):
        image = _opened(picture)
        bucket = nearest_bucket(image.width, image.height, sizes)
        rng = numpy_rng(config.seed, Purpose.VIEWS, number)
        for crop in _crops(image, bucket, config, rng):
            rows = crops.setdefault(bucket, [])
            views.append(View(number, bucket, len(rows)))
            rows.append(crop)
    latents = {bucket: _encoded(base, rows) for bucket, rows in crops.items()}
    return Views(tuple(views), latents)


def _opened(picture: TrainPicture) -> Image.Image:
    try:
        return load_rgb(picture.path)
    except OSError as error:
        raise DatasetError(f"{picture.path.name} cannot be read. Take it out of the dataset.") from error


def _crops(
    image: Image.Image, bucket: Size, config: TrainConfig, rng: np.random.Generator
) -> list[np.ndarray]:
    """The largest crop in the middle, then random ones, every other one mirrored where that is allowed."""
    ratio = bucket[0] / bucket[1]
    largest = min(image.width, image.height * ratio), min(image.height, image.width / ratio)
    crops = []
    for number in range(config.views):
        share = rng.uniform(config.smallest_crop, 1.0) if number else 1.0
        width, height = largest[0] * share, largest[1] * share
        places = rng.uniform(size=2) if number else (0.5, 0.5)
        left, upper = places[0] * (image.width - width), places[1] * (image.height - height)
        box = (left, upper, left + width, upper + height)
        crop = image.resize(bucket, Image.Resampling.LANCZOS, box=box)
        if config.mirror and number % 2:
            crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        crops.append(np.asarray(crop))
    return crops


def _encoded(base: Base, crops: list[np.ndarray]) -> Tensor:
    parts = []
    for start in range(0, len(crops), ENCODED_AT_ONCE):
        pixels = torch.from_numpy(np.stack(crops[start : start + ENCODED_AT_ONCE]))
        parts.append(base.encode_pictures(pixels.permute(0, 3, 1, 2).float() / 127.5 - 1).float())
    return torch.cat(parts)
