"""Choosing how pictures are cut: for a whole dataset, for some of its pictures, for one by hand.

Frozen versions keep what they were made with; trainings that start later see the new cuts.
"""

from collections.abc import Collection
from uuid import UUID

from django.db import transaction

from engines.crops import Box
from training.crops import square
from training.exceptions import PicturesMissing
from training.models import Crop, Dataset, DatasetImage


def choose_crop(*, dataset: Dataset, crop: str) -> None:
    """Cut every picture this way that has no way of its own. One row. Raises ValueError for no known crop."""
    dataset.crop = Crop(crop)
    dataset.save(update_fields=["crop"])


def cut_picture(*, image: DatasetImage, crop: str = "", box: Box | None = None) -> None:
    """Give a picture a crop or a box of its own; with neither it follows its dataset again. One row.

    Raises BoxRefused for a box that is not wholly inside the picture, ValueError for no known crop and for a
    crop together with a box.
    """
    if crop and box:
        raise ValueError("a picture has a crop or a box, not both")
    if box:
        left, upper, right, _lower = box
        box = square(image, left, upper, right - left)
    image.crop = Crop(crop) if crop else ""
    image.box = list(box) if box else None
    image.save(update_fields=["crop", "box"])


@transaction.atomic
def cut_pictures(*, dataset: Dataset, pictures: Collection[UUID], crop: str) -> list[DatasetImage]:
    """Give pictures of a dataset a crop, or with "" the dataset's again; boxes by hand go. Return them.

    One transaction. Raises PicturesMissing, and changes nothing, when not all of them are in the dataset;
    ValueError for no known crop.
    """
    value = Crop(crop) if crop else ""
    found = list(dataset.images.select_for_update().filter(pk__in=pictures))
    if len(found) != len(set(pictures)):
        raise PicturesMissing("Some of the pictures are not in this dataset.")
    dataset.images.filter(pk__in=pictures).update(crop=value, box=None)
    for image in found:
        image.crop, image.box = value, None
    return found
