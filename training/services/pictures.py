"""Taking pictures out of a dataset."""

from collections.abc import Collection, Iterable, Sequence
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import F

from training import files, tallies
from training.alikes import regroup
from training.models import Dataset, DatasetImage, DatasetVersion
from training.selectors.pictures import spare_pictures


def remove_image(*, image: DatasetImage) -> None:
    """Take a picture out of its dataset; one that is gone already stays so. See `remove_pictures`."""
    remove_pictures(dataset=image.dataset, pictures=[image.pk])


@transaction.atomic
def remove_pictures(*, dataset: Dataset, pictures: Collection[UUID]) -> int:
    """Take pictures out of a dataset: trainings that start from now on won't see them. Return how many.

    Those that are gone already, or are in no such dataset, are passed over. A frozen version that has one
    keeps its file until the dataset is deleted, so that a stopped training can go on exactly as it began.
    One transaction; files go after its commit.
    """
    dataset = Dataset.objects.select_for_update().get(pk=dataset.pk)
    images = list(dataset.images.select_related("print").filter(pk__in=pictures))
    if images:
        take_out(dataset, images)
        frozen = _frozen(dataset, (image.file for image in images))
        keys = [key for image in images for key in (image.file, image.thumbnail) if key not in frozen]
        transaction.on_commit(partial(files.remove_files, keys))
    return len(images)


@transaction.atomic
def keep_one_of_each(*, dataset: Dataset) -> int:
    """Of pictures that are nearly alike keep the best of every group. Return how many were taken out.

    One transaction, like `remove_pictures`.
    """
    dataset = Dataset.objects.select_for_update().get(pk=dataset.pk)
    return remove_pictures(dataset=dataset, pictures=spare_pictures(dataset))


def keep_alike(*, dataset: Dataset, group: UUID) -> None:
    """Take the pictures of a group for different ones from now on. One UPDATE."""
    dataset.images.filter(likeness_group=group).update(likeness_group=None)


def take_out(dataset: Dataset, images: Sequence[DatasetImage]) -> None:
    """Delete the rows of pictures and count them out. The dataset's row is locked; files are left alone."""
    counted = dataset.tallies
    for image in images:
        counted = tallies.count_out(counted, image)
    groups = {image.likeness_group for image in images if image.likeness_group}
    DatasetImage.objects.filter(pk__in=[image.pk for image in images]).delete()
    regroup(dataset, groups)
    Dataset.objects.filter(pk=dataset.pk).update(
        picture_count=F("picture_count") - len(images),
        size_bytes=F("size_bytes") - sum(image.size_bytes for image in images),
        tallies=counted,
    )


def _frozen(dataset: Dataset, keys: Iterable[str]) -> set[str]:
    """Those of the stored files that a frozen version of the dataset has."""
    sought = set(keys)
    found: set[str] = set()
    for pictures in DatasetVersion.objects.filter(dataset=dataset).values_list("pictures", flat=True):
        found.update(picture["file"] for picture in pictures if picture["file"] in sought)
    return found
