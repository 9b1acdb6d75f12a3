"""What a crop makes of a few of a dataset's own pictures, as geometry for an SVG over their thumbnails."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from django.db.models import F, FloatField
from django.db.models.functions import Cast
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from engines.crops import CropMode, crop_box
from training.models import Crop, Dataset, DatasetImage

_TEXTS: dict[str, Promise] = {
    Crop.CENTER: gettext_lazy("The largest square in the middle. For subjects that stand there."),
    Crop.RANDOM: gettext_lazy("Four squares from anywhere in each picture. For patterns and textures."),
    Crop.LETTERBOX: gettext_lazy("The whole picture; what is missing is filled with its border's colour."),
    Crop.SQUEEZE: gettext_lazy("The whole picture, made square; its proportions change."),
}


@dataclass(frozen=True)
class Cut:
    """A picture's thumbnail with its size, and the box that training sees of it as an SVG's view box."""

    thumbnail: str
    width: int
    height: int
    view_box: str


@dataclass(frozen=True, kw_only=True)
class CropPreview:
    """One way of cutting, and what it does to the pictures. `is_squeezed`: their proportions change."""

    value: str
    title: str
    text: Promise
    is_squeezed: bool
    cuts: Sequence[Cut]


def preview_crops(dataset: Dataset) -> list[CropPreview]:
    """Show every way of cutting on the dataset's widest, its tallest and a newest picture. Two queries."""
    pictures = _telling_pictures(dataset)
    return [
        CropPreview(
            value=crop.value,
            title=str(crop.label),
            text=_TEXTS[crop],
            is_squeezed=crop is Crop.SQUEEZE,
            cuts=[_cut(picture, crop) for picture in pictures],
        )
        for crop in Crop
    ]


def _telling_pictures(dataset: Dataset) -> list[DatasetImage]:
    shape = Cast("width", FloatField()) / F("height")
    by_shape = dataset.images.annotate(shape=shape).order_by("shape", "id")
    ends = by_shape.reverse()[:1].union(by_shape[:1], all=True)
    found = [*ends, *dataset.images.all()[:3]]
    distinct = {picture.pk: picture for picture in found}
    return list(distinct.values())[:3]


def _cut(picture: DatasetImage, crop: Crop) -> Cut:
    box = crop_box(picture.width, picture.height, cast("CropMode", crop.value), name=picture.sha256)
    left, upper, right, lower = box
    return Cut(
        thumbnail=reverse("training:image_show", args=[picture.dataset_id, picture.pk, "thumb"]),
        width=picture.width,
        height=picture.height,
        view_box=f"{left} {upper} {right - left} {lower - upper}",
    )
