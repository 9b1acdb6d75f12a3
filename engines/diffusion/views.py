"""What a training sees of its pictures, as latents, made once: crops, and the subject set somewhere else.

Crops are in the nearest of a few ratios, which keep the area near the base's square (aspect-ratio buckets, as
NovelAI described them in 2022), so that nothing of a portrait is cut off only because pictures are square.
"""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from engines.diffusion.base import Base
from engines.diffusion.config import TrainConfig, TrainPicture
from engines.diffusion.cutouts import cut_out
from engines.diffusion.randomness import Purpose, numpy_rng
from engines.diffusion.surroundings import place
from engines.errors import DatasetError
from engines.images import FloatArray, UInt8Array, load_rgb

WIDEST = 2.0  # ratio of the sides
ENCODED_AT_ONCE = 8
Size = tuple[int, int]  # width, height


@dataclass(frozen=True)
class View:
    """One view of a picture: the picture's number, its bucket, and where its latents lie in the bucket.

    `place` are the words for the surroundings that its subject was set into, empty where they are not named;
    None for a crop.
    """

    picture: int
    bucket: Size
    row: int
    place: str | None = None


@dataclass(frozen=True)
class Views:
    """All views of all pictures, by bucket their latents `[N, C, H, W]` and how much each place counts.

    Weights are `[N, 1, H, W]` and 1 on average over each view.
    """

    views: tuple[View, ...]
    latents: dict[Size, Tensor]
    weights: dict[Size, Tensor]

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


@dataclass(frozen=True)
class _Shot:
    """A view before it is encoded: uint8 `[H, W, 3]`; where it was set somewhere, its subject `[H, W]`."""

    picture: int
    pixels: UInt8Array
    place: str | None = None
    alpha: FloatArray | None = None


def encode_views(base: Base, config: TrainConfig) -> Views:
    """Cut and encode all pictures; the same for the same seed. Raises DatasetError for unreadable ones."""
    resolution = config.resolution or base.resolution
    sizes = buckets(resolution // base.multiple * base.multiple, base.multiple)
    shots: dict[Size, list[_Shot]] = {}
    for number, picture in enumerate(config.pictures):
        image = _opened(picture)
        bucket = nearest_bucket(image.width, image.height, sizes)
        rng = numpy_rng(config.seed, Purpose.VIEWS, number)
        shots.setdefault(bucket, []).extend(
            _Shot(number, crop) for crop in _crops(image, bucket, config, rng)
        )
        shots.setdefault(sizes[0], []).extend(_placed(image, sizes[0][0], config, number))
    shots = {bucket: some for bucket, some in shots.items() if some}
    views = [
        View(shot.picture, bucket, row, shot.place)
        for bucket, some in shots.items()
        for row, shot in enumerate(some)
    ]
    latents = {bucket: _encoded(base, [shot.pixels for shot in some]) for bucket, some in shots.items()}
    weights = {
        bucket: torch.cat([_weights(shot, latents[bucket], config.ground_weight) for shot in some])
        for bucket, some in shots.items()
    }
    return Views(tuple(views), latents, weights)


def _placed(image: Image.Image, side: int, config: TrainConfig, number: int) -> list[_Shot]:
    """The picture's subject in other surroundings; none where it has no subject that stands out."""
    cutout = cut_out(image) if config.surroundings else None
    if cutout is None:
        return []
    rng = numpy_rng(config.seed, Purpose.SURROUNDINGS, number)
    set_somewhere = [place(cutout, side, rng, mirror=config.mirror) for _ in range(config.surroundings)]
    return [_Shot(number, placed.pixels, placed.place, placed.alpha) for placed in set_somewhere]


def _weights(shot: _Shot, latents: Tensor, ground_weight: float) -> Tensor:
    """How much each place of a view's latents counts, `[1, 1, H, W]`: surroundings are known already."""
    size = latents.shape[2:]
    if shot.alpha is None:
        return torch.ones(1, 1, *size)
    subject = nn.functional.interpolate(torch.from_numpy(shot.alpha)[None, None], size, mode="area")
    weights = ground_weight + (1.0 - ground_weight) * subject
    return weights / weights.mean()


def _opened(picture: TrainPicture) -> Image.Image:
    try:
        return load_rgb(picture.path)
    except OSError as error:
        raise DatasetError(f"{picture.path.name} cannot be read. Take it out of the dataset.") from error


def _crops(
    image: Image.Image, bucket: Size, config: TrainConfig, rng: np.random.Generator
) -> list[UInt8Array]:
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


def _encoded(base: Base, crops: list[UInt8Array]) -> Tensor:
    parts = []
    for start in range(0, len(crops), ENCODED_AT_ONCE):
        pixels = torch.from_numpy(np.stack(crops[start : start + ENCODED_AT_ONCE]))
        parts.append(base.encode_pictures(pixels.permute(0, 3, 1, 2).float() / 127.5 - 1).float())
    return torch.cat(parts)
