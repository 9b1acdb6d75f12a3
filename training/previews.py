"""What a crop makes of a dataset's own pictures, as pages show it."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from engines.crops import Box
from training.crops import HAND, Overlay, boxes_of, overlay, telling_pictures
from training.models import Crop, Dataset, DatasetImage

CROP_TEXTS: dict[str, Promise] = {
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
    """Show every way of cutting on the dataset's widest, tallest and smallest picture. Two queries."""
    pictures = [telling.picture for telling in telling_pictures(dataset)]
    return [
        CropPreview(
            value=crop.value,
            title=str(crop.label),
            text=CROP_TEXTS[crop],
            is_squeezed=crop is Crop.SQUEEZE,
            cuts=[_cut(picture, crop) for picture in pictures],
        )
        for crop in Crop
    ]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A picture before and after it is cut.

    `strip` is the address of its squares side by side, `columns` how many these are. `is_enlarged`: there are
    fewer pixels in the picture than training asks for.
    """

    title: Promise | str
    picture: DatasetImage
    overlay: Overlay
    strip: str
    columns: range
    resolution: int
    sentence: str
    is_enlarged: bool


def show_crop(dataset: Dataset, crop: str, resolution: int) -> list[Shown]:
    """Show a crop on the dataset's widest, tallest and smallest picture. Two queries."""
    return [
        show_cut(telling.picture, crop, resolution, title=telling.title)
        for telling in telling_pictures(dataset)
    ]


def show_cut(
    picture: DatasetImage, crop: str, resolution: int, *, box: Box | None = None, title: Promise | str = ""
) -> Shown:
    """Show what a crop, or a box by hand, makes of a picture. No query, and no pixel is read."""
    boxes = boxes_of(picture, crop, box)
    return Shown(
        title=title,
        picture=picture,
        overlay=overlay(picture, boxes),
        strip=_strip_address(picture, crop, resolution, box),
        columns=range(len(boxes)),
        resolution=resolution,
        sentence=_sentence(boxes, resolution),
        is_enlarged=_is_enlarged(boxes, resolution),
    )


@dataclass(frozen=True)
class Way:
    """One way of cutting a picture, as it is offered; a box by hand has no lines until it is drawn."""

    value: str
    title: Promise | str
    lines: Overlay


def ways_of(picture: DatasetImage, ways: Sequence[tuple[str, Promise | str]], dataset_crop: str) -> list[Way]:
    """Every way with its lines over the picture; the empty one is the dataset's."""
    return [
        Way(value, title, overlay(picture, [] if value == HAND else boxes_of(picture, value or dataset_crop)))
        for value, title in ways
    ]


def _strip_address(picture: DatasetImage, crop: str, resolution: int, box: Box | None) -> str:
    """An address that says all that the squares depend on, so that they may be kept by the browser."""
    chosen: dict[str, str | int] = {"crop": crop}
    if box:
        left, upper, right, _lower = box
        chosen = {"crop": HAND, "left": left, "upper": upper, "side": right - left}
    address = reverse("training:image_cut", args=[picture.dataset_id, picture.pk])
    return f"{address}?{urlencode({**chosen, 'resolution': resolution})}"


def _is_enlarged(boxes: Sequence[Box], resolution: int) -> bool:
    return any(min(right - left, lower - upper) < resolution for left, upper, right, lower in boxes)


def _sentence(boxes: Sequence[Box], resolution: int) -> str:
    left, upper, right, lower = boxes[0]
    sides = sorted(box[2] - box[0] for box in boxes)
    numbers: dict[str, object] = {
        "width": right - left,
        "height": lower - upper,
        "least": sides[0],
        "most": sides[-1],
        "side": resolution,
    }
    is_enlarged = _is_enlarged(boxes, resolution)
    if len(boxes) > 1 and is_enlarged:
        text = _(
            "Squares of %(least)d to %(most)d pixels are enlarged to %(side)d × %(side)d: some look soft."
        )
    elif len(boxes) > 1:
        text = _("Squares of %(least)d to %(most)d pixels become %(side)d × %(side)d.")
    elif is_enlarged:
        text = _("%(width)d × %(height)d pixels are enlarged to %(side)d × %(side)d, which looks soft.")
    else:
        text = _("%(width)d × %(height)d pixels become %(side)d × %(side)d.")
    return text % numbers


def _cut(picture: DatasetImage, crop: Crop) -> Cut:
    left, upper, right, lower = boxes_of(picture, crop)[0]
    return Cut(
        thumbnail=reverse("training:image_show", args=[picture.dataset_id, picture.pk, "thumb"]),
        width=picture.width,
        height=picture.height,
        view_box=f"{left} {upper} {right - left} {lower - upper}",
    )
