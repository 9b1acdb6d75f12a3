"""Adding checked pictures to a dataset: their files, their rows, and all that is counted along with them."""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import asdict

from django.db.models import F
from django.utils.translation import gettext as _

from jobs.exceptions import JobError
from training import files, tallies
from training.alikes import Alikes
from training.ingest import CheckedPicture, Look
from training.models import Dataset, DatasetImage, PicturePrint


def dataset_gone() -> str:
    """The message to the owner of a job whose dataset was deleted meanwhile."""
    return _("The dataset was deleted while this job was running. Nothing else was touched.")


def lock_dataset(dataset_id: uuid.UUID) -> Dataset:
    """Return the dataset, its row locked until the transaction ends. Raises JobError when it was deleted."""
    dataset: Dataset | None = Dataset.objects.select_for_update().filter(pk=dataset_id).first()
    if dataset is None:
        raise JobError(dataset_gone())
    return dataset


def store_image(dataset_id: uuid.UUID, name: str, arrived: str, picture: CheckedPicture) -> DatasetImage:
    """Store the files of a picture; return its row, which is not saved yet, with its `print` set.

    `arrived` is the SHA-256 of the bytes that were sent. Whoever does not save the row removes the files.
    """
    image_id = uuid.uuid4()
    file, thumbnail = files.store_picture(
        dataset_id,
        image_id,
        content=picture.content,
        extension=picture.extension,
        thumbnail=picture.look.thumbnail,
    )
    image = DatasetImage(
        id=image_id,
        dataset_id=dataset_id,
        name=name,
        upload_sha256=arrived,
        sha256=picture.sha256,
        kept_sha256=hashlib.sha256(picture.content).hexdigest(),
        file=file,
        thumbnail=thumbnail,
        width=picture.width,
        height=picture.height,
        size_bytes=len(picture.content) + len(picture.look.thumbnail),
    )
    describe(image, picture.look)
    return image


def describe(image: DatasetImage, look: Look) -> None:
    """Write what is told from a picture's looks into its row and its `print`; neither is saved."""
    for name, figure in asdict(look.measures).items():
        setattr(image, name, figure)
    image.print = PicturePrint(image=image, pixels=look.pixels)


def put_in(dataset: Dataset, images: Sequence[DatasetImage], alikes: Alikes) -> None:
    """Insert pictures out of `store_image`, group them with those that are like them, and count them.

    The dataset's row is locked; the numbers are written to it and to `dataset` in the same transaction.
    """
    if not images:
        return
    alikes.join(dataset, images)
    DatasetImage.objects.bulk_create(images)
    PicturePrint.objects.bulk_create([image.print for image in images])
    for image in images:
        dataset.tallies = tallies.count_in(dataset.tallies, image)
    Dataset.objects.filter(pk=dataset.pk).update(
        picture_count=F("picture_count") + len(images),
        size_bytes=F("size_bytes") + sum(image.size_bytes for image in images),
        tallies=dataset.tallies,
    )


def count_duplicate(dataset: Dataset) -> None:
    """Count a file that was sent although its picture is here. The dataset's row is locked."""
    dataset.tallies = tallies.count_duplicate(dataset.tallies)
    Dataset.objects.filter(pk=dataset.pk).update(tallies=dataset.tallies)
