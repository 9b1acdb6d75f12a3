"""Figures, prints and groups of pictures that were added before these were taken."""

import logging
from collections.abc import Sequence

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Q
from PIL import Image

from training import tallies
from training.adding import describe
from training.alikes import Alikes
from training.ingest import look_of
from training.models import Dataset, DatasetImage, PicturePrint

logger = logging.getLogger(__name__)

_BATCH = 50  # pictures in one transaction
_FIGURES = ("blur", "brightness", "contrast", "black_share", "white_share")


def measure_dataset(dataset: Dataset) -> int:
    """Give a dataset's pictures what they lack, then count all anew. Return how many were measured.

    Effect: one transaction for each batch of pictures, and one for the count; what is done stays when it is
    ended in between. A picture whose file cannot be read stays as it is, with a line in the log.
    """
    lacking = list(
        dataset.images.filter(Q(blur__isnull=True) | Q(print__isnull=True))
        .order_by("created_at", "id")
        .values_list("pk", flat=True)
    )
    alikes = Alikes()
    measured = 0
    for start in range(0, len(lacking), _BATCH):
        images = dataset.images.filter(pk__in=lacking[start : start + _BATCH]).order_by("created_at", "id")
        readable = [image for image in images if _look_at(image)]
        _save(dataset, readable, alikes)
        measured += len(readable)
    tallies.recount(dataset)
    return measured


def _look_at(image: DatasetImage) -> bool:
    """Write what is told from the stored picture into the row, unsaved. Return whether it could be read."""
    try:
        with default_storage.open(image.file) as stored, Image.open(stored) as opened:
            describe(image, look_of(opened.convert("RGB")))
    except OSError:
        logger.exception("picture %s of dataset %s could not be read", image.pk, image.dataset_id)
        return False
    return True


@transaction.atomic
def _save(dataset: Dataset, images: Sequence[DatasetImage], alikes: Alikes) -> None:
    locked = Dataset.objects.select_for_update().get(pk=dataset.pk)
    # One that was removed meanwhile is gone.
    there = set(locked.images.filter(pk__in=[image.pk for image in images]).values_list("pk", flat=True))
    kept = [image for image in images if image.pk in there]
    if not kept:
        return
    alikes.join(locked, kept)
    DatasetImage.objects.bulk_update(kept, [*_FIGURES, "likeness_group"])
    PicturePrint.objects.bulk_create(
        [image.print for image in kept],
        update_conflicts=True,
        unique_fields=["image"],
        update_fields=["pixels"],
    )
