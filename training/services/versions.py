"""Freezing a dataset: what a training sees never changes."""

import hashlib
from collections.abc import Iterable

from django.db import transaction
from django.utils.translation import gettext as _

from catalog.models import Source
from engines.stylegan.config import MIN_IMAGES
from training.exceptions import DatasetUnfit
from training.models import Dataset, DatasetVersion
from training.selectors import is_being_filled


@transaction.atomic
def freeze_version(*, dataset: Dataset, crop: str) -> DatasetVersion:
    """Return the frozen version of the dataset as it stands now, with this crop.

    Effect: inserts the version and its node of the lineage in one transaction, or returns the one that has
    the same pictures, crop and licence already. Raises DatasetUnfit while files are being checked and for
    fewer than 50 pictures.
    """
    dataset = Dataset.objects.select_for_update().get(pk=dataset.pk)
    judge_ready(dataset)
    # In the order of their hashes: the same pictures make the same version, however they arrived.
    pictures = list(dataset.images.order_by("sha256").values("sha256", "file"))
    sha256 = fingerprint((picture["sha256"] for picture in pictures), crop=crop)
    same = DatasetVersion.objects.filter(dataset=dataset, sha256=sha256, licence=dataset.licence_id).first()
    if same is not None:
        return same
    label = _("%(name)s, %(count)d pictures") % {"name": dataset.name, "count": len(pictures)}
    source = Source.objects.create(
        kind=Source.Kind.DATASET, label=label, sha256=sha256, licence_id=dataset.licence_id
    )
    return DatasetVersion.objects.create(
        dataset=dataset,
        name=dataset.name,
        sha256=sha256,
        pictures=pictures,
        count=len(pictures),
        crop=crop,
        licence_id=dataset.licence_id,
        source=source,
    )


def judge_ready(dataset: Dataset) -> None:
    """Raise DatasetUnfit when nothing can be trained on the dataset as it stands."""
    if is_being_filled(dataset):
        raise DatasetUnfit(
            _("The pictures of this dataset are still being checked. Start when that is done."),
            field="dataset",
        )
    if dataset.picture_count < MIN_IMAGES:
        raise DatasetUnfit(
            _(
                "This dataset has %(count)d pictures, and training needs at least %(needed)d. "
                "Add %(missing)d more."
            )
            % {
                "count": dataset.picture_count,
                "needed": MIN_IMAGES,
                "missing": MIN_IMAGES - dataset.picture_count,
            },
            field="dataset",
        )


def fingerprint(hashes: Iterable[str], *, crop: str) -> str:
    """SHA-256 over the crop and the pictures' SHA-256, one a line."""
    return hashlib.sha256("\n".join([crop, *hashes]).encode()).hexdigest()
