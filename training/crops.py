"""What training sees of each picture: its crop or box, its squares as pixels, and as lines over a thumbnail.

Everything rests on `engines.crops` and `engines.images`, which prepare a training's pictures, so that what a
page shows is what is trained on.
"""

import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from django.core.files.storage import default_storage
from django.db.models import Count, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from PIL import Image

from engines.crops import Box, CropMode, training_boxes
from engines.images import UInt8Array, cut_squares, load_rgb
from engines.images import grid as lay_out
from training import limits
from training.exceptions import BoxRefused
from training.models import Crop, Dataset, DatasetImage, DatasetVersion

HAND = "hand"
WAYS: list[tuple[str, str | Promise]] = [*Crop.choices, (HAND, gettext_lazy("By hand"))]
# The pictures that are cut in a way of their own.
OWN_CROP = ~Q(crop="", box__isnull=True)
RESOLUTIONS = (64, 128, 256, 512)  # those at which a preview is shown


def boxes_of(picture: DatasetImage, crop: str, box: Box | None = None) -> list[Box]:
    """The boxes cut from a picture by a crop, or by a box drawn by hand.

    Random ones depend on the picture alone, so that every training sees the same.
    """
    mode = cast("CropMode", str(crop))
    return training_boxes(picture.width, picture.height, mode, box=box, name=picture.sha256)


def boxes_in_force(picture: DatasetImage, dataset_crop: str) -> list[Box]:
    """The boxes cut from a picture as things stand: by its own box or crop, else by its dataset's."""
    return boxes_of(picture, picture.crop or dataset_crop, own_box(picture))


def own_box(picture: DatasetImage) -> Box | None:
    """The box that was drawn by hand, if there is one."""
    return cast("Box", tuple(picture.box)) if picture.box else None


def square(picture: DatasetImage, left: int, upper: int, side: int) -> Box:
    """A box by hand. Raises BoxRefused when it is too small or not wholly inside the picture."""
    least = least_side(picture)
    most = min(picture.width, picture.height)
    if not least <= side <= most:
        raise BoxRefused(
            _("Use a side of %(least)d to %(most)d pixels.") % {"least": least, "most": most}, field="side"
        )
    for field, start, length in (("left", left, picture.width), ("upper", upper, picture.height)):
        if not 0 <= start <= length - side:
            raise BoxRefused(
                _("The box reaches beyond the picture. Use 0 to %(most)d here, or a smaller side.")
                % {"most": length - side},
                field=field,
            )
    return left, upper, left + side, upper + side


def least_side(picture: DatasetImage) -> int:
    """The smallest box that may be drawn, in pixels."""
    return min(limits.current().min_side, picture.width, picture.height)


def squares(picture: DatasetImage, boxes: Sequence[Box], resolution: int) -> UInt8Array:
    """What training sees of a stored picture: uint8 `[K, resolution, resolution, 3]`.

    Raises FileNotFoundError when the file is gone.
    """
    with default_storage.open(picture.file) as stored:
        return cut_squares(load_rgb(stored), boxes, resolution)


def png_strip(cuts: UInt8Array) -> bytes:
    """The squares side by side, as a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(lay_out(cuts, columns=len(cuts))).save(buffer, format="PNG")
    return buffer.getvalue()


@dataclass(frozen=True)
class Overlay:
    """Boxes drawn over a picture, in its own pixels: an SVG's view box and two paths."""

    view_box: str
    outline: str
    shade: str


def overlay(picture: DatasetImage, boxes: Sequence[Box]) -> Overlay:
    """Outline the boxes; a single one leaves the rest of the picture in the shade."""
    outline = "".join(f"M{left} {upper}H{right}V{lower}H{left}Z" for left, upper, right, lower in boxes)
    frame = f"M0 0H{picture.width}V{picture.height}H0Z"
    return Overlay(
        view_box=f"0 0 {picture.width} {picture.height}",
        outline=outline,
        shade=frame + outline if len(boxes) == 1 else "",
    )


@dataclass(frozen=True)
class TellingPicture:
    """A picture by which a crop can be judged, and why this one."""

    picture: DatasetImage
    title: Promise


# By what sizes (width, height) are put in order, the sought one first.
_ORDERS: list[tuple[Promise, Callable[[tuple[int, int]], float]]] = [
    (gettext_lazy("The widest"), lambda size: -size[0] / size[1]),
    (gettext_lazy("The tallest"), lambda size: size[0] / size[1]),
    (gettext_lazy("The smallest"), min),
]


def telling_pictures(dataset: Dataset) -> list[TellingPicture]:
    """The widest, the tallest and the smallest of the pictures that have no crop of their own. Two queries.

    Of equals the newest is taken that was not taken yet. The sizes are counted once: sorting all rows of a
    large dataset three times takes ten times as long.
    """
    pictures = without_own_crop(dataset).order_by()
    left = {(width, height): count for width, height, count in _counted_sizes(pictures)}
    sought: list[tuple[Promise, tuple[int, int]]] = []
    for title, order in _ORDERS:
        size = min((one for one, count in left.items() if count), key=order, default=None)
        if size is None:
            break
        left[size] -= 1
        sought.append((title, size))
    newest = _newest_of_sizes(pictures, Counter(size for _title, size in sought))
    return [TellingPicture(newest[size].pop(0), title) for title, size in sought if newest[size]]


def _newest_of_sizes(
    pictures: QuerySet[DatasetImage], counts: Mapping[tuple[int, int], int]
) -> dict[tuple[int, int], list[DatasetImage]]:
    """So many of the newest pictures of each size, the newest first. One query."""
    found: dict[tuple[int, int], list[DatasetImage]] = {size: [] for size in counts}
    if not counts:
        return found
    first, *others = (
        pictures.filter(width=width, height=height).order_by("-created_at", "-id")[:count]
        for (width, height), count in counts.items()
    )
    for picture in sorted(first.union(*others), key=lambda one: (one.created_at, one.pk), reverse=True):
        found[picture.width, picture.height].append(picture)
    return found


def _counted_sizes(pictures: QuerySet[DatasetImage]) -> Iterable[tuple[int, int, int]]:
    counted = pictures.values_list("width", "height").annotate(count=Count("pk"))
    return counted.order_by("width", "height")


def with_own_crop(dataset: Dataset) -> QuerySet[DatasetImage]:
    """The pictures that are cut in a way of their own."""
    return dataset.images.filter(OWN_CROP)


def without_own_crop(dataset: Dataset) -> QuerySet[DatasetImage]:
    """The pictures that are cut in the dataset's way."""
    return dataset.images.exclude(OWN_CROP)


def frozen_crops(version: DatasetVersion) -> tuple[dict[str, CropMode], dict[str, Box]]:
    """The crops and the boxes of a frozen version's pictures that have their own, by SHA-256."""
    crops = {each["sha256"]: cast("CropMode", each["crop"]) for each in version.pictures if each.get("crop")}
    boxes = {each["sha256"]: cast("Box", tuple(each["box"])) for each in version.pictures if each.get("box")}
    return crops, boxes
