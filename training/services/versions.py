"""Freezing a dataset: what a training sees never changes."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from catalog.models import Source
from training import reports
from training.exceptions import DatasetUnfit
from training.models import Dataset, DatasetVersion, Purpose, Withdrawal
from training.needs import NEEDS
from training.rights import judge_rights
from training.selectors import is_being_filled

# What may stand in a picture's entry beside its content and its file.
_OVERRIDES = ("crop", "box", "caption")


@transaction.atomic
def freeze_version(
    *,
    dataset: Dataset,
    crop: str,
    purpose: str = Purpose.EXPERIMENT,
    caption: Callable[[str], str] | None = None,
) -> DatasetVersion:
    """Return the frozen version of the dataset as it stands now, for a training of this purpose.

    `crop` holds for the pictures without one of their own. `caption` turns what is kept of a picture into
    what the training reads; without it captions do not count.
    Effect: inserts the version with the dataset's report, and its node of the lineage, in one transaction, or
    returns the one that has the same pictures, crops, captions and licence already. Raises DatasetUnfit while
    files are being checked, for too few pictures and for one that was withdrawn, and RightsMissing.
    """
    dataset = Dataset.objects.select_for_update().get(pk=dataset.pk)
    judge_ready(dataset, purpose)
    pictures = _frozen_pictures(dataset, caption)
    _judge_withdrawn(dataset)
    sha256 = fingerprint(pictures, crop=crop)
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
        report=reports.freeze(dataset),
        count=len(pictures),
        crop=crop,
        licence_id=dataset.licence_id,
        source=source,
    )


def judge_ready(dataset: Dataset, purpose: str = Purpose.EXPERIMENT) -> None:
    """Raise DatasetUnfit when nothing can be trained on the dataset as it stands, or RightsMissing."""
    if is_being_filled(dataset):
        raise DatasetUnfit(
            _("The pictures of this dataset are still being checked. Start when that is done."),
            field="dataset",
        )
    needed = NEEDS[Purpose(purpose)].minimum
    if dataset.picture_count < needed:
        raise DatasetUnfit(
            _(
                "This dataset has %(count)d pictures, and training needs at least %(needed)d. "
                "Add %(missing)d more."
            )
            % {
                "count": dataset.picture_count,
                "needed": needed,
                "missing": needed - dataset.picture_count,
            },
            field="dataset",
        )
    judge_rights(dataset)


def fingerprint(pictures: Iterable[Mapping[str, Any]], *, crop: str) -> str:
    """SHA-256 over the crop and a line for each picture: its SHA-256, and its own crop, box and caption."""
    lines = [crop]
    for picture in pictures:
        own = {name: picture[name] for name in _OVERRIDES if name in picture}
        lines.append(f"{picture['sha256']} {json.dumps(own)}" if own else picture["sha256"])
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _frozen_pictures(dataset: Dataset, caption: Callable[[str], str] | None) -> list[dict[str, Any]]:
    """What a version keeps of every picture, in the order of their hashes.

    So the same pictures make the same version, however they arrived. One query.
    """
    frozen = []
    for image in dataset.images.order_by("sha256").only("sha256", "file", "crop", "box", "caption"):
        entry = {"sha256": image.sha256, "file": image.file}
        own = {"crop": image.crop, "box": image.box}
        if caption is not None:
            own["caption"] = caption(image.caption)
        frozen.append(entry | {name: value for name, value in own.items() if value})
    return frozen


def _judge_withdrawn(dataset: Dataset) -> None:
    """Refuse a picture that was withdrawn and has come back by another upload. One query."""
    withdrawn = Withdrawal.objects.filter(version__dataset=dataset)
    exported = withdrawn.exclude(kept_sha256="").values("kept_sha256")
    back = Q(sha256__in=withdrawn.values("picture_sha256")) | Q(upload_sha256__in=exported)
    name = dataset.images.filter(back).values_list("name", flat=True).first()
    if name is not None:
        raise DatasetUnfit(
            _("%(name)s was withdrawn from this dataset and added again. Remove it, then start.")
            % {"name": name},
            field="dataset",
        )
