"""What withdrawn pictures mean for the trainings that had them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from training.models import Dataset, DatasetImage, DatasetVersion, Withdrawal


def why_ended(version: DatasetVersion) -> str:
    """Say why nothing can be trained on a frozen version any more; "" while it can. One query."""
    if version.dataset_id is None:
        return _(
            "The pictures of this training were deleted, so it cannot go on. "
            "Its snapshots can still be saved."
        )
    if version.withdrawals.exists():
        return _(
            "A picture of this training was withdrawn, so it cannot go on. Its snapshots can still be saved; "
            "to train on, continue from one of them with the pictures that are left."
        )
    return ""


def note_of_withdrawal(version: DatasetVersion) -> str:
    """What the page of a training that is done says of withdrawn pictures; "" for none. One query."""
    if not version.withdrawals.exists():
        return ""
    return _("A picture of this training was withdrawn since. Models that are saved from it say so.")


def withdrawn_hashes(version_id: UUID) -> set[str]:
    """The SHA-256 of the pictures that were taken back from a frozen version. One query."""
    withdrawn = Withdrawal.objects.filter(version=version_id)
    return set(withdrawn.values_list("picture_sha256", flat=True))


def without_withdrawn(nearest: Sequence[Mapping[str, Any]], hashes: set[str]) -> list[dict[str, Any]]:
    """What `Snapshot.nearest` may keep: the figures stay, the withdrawn pictures' hashes go."""
    return [{**found, "sha256": "" if found["sha256"] in hashes else found["sha256"]} for found in nearest]


def is_withdrawn(dataset: Dataset, image: DatasetImage) -> bool:
    """Whether a picture was withdrawn from a frozen version of the dataset: its pixels, or the exported file.

    One query.
    """
    same = Q(picture_sha256=image.sha256) | Q(kept_sha256=image.upload_sha256)
    return Withdrawal.objects.filter(same, version__dataset=dataset).exists()


def count_withdrawals(dataset: Dataset) -> int:
    """How many pictures were withdrawn from the frozen versions of a dataset. One query."""
    withdrawn = Withdrawal.objects.filter(version__dataset=dataset).order_by()
    return withdrawn.values("picture_sha256").distinct().count()


def withdrawals_of(user: User) -> QuerySet[Withdrawal]:
    """What a person has withdrawn, the newest first: each with how many `trainings` had the version."""
    return (
        Withdrawal.objects.filter(withdrawn_by=user)
        .select_related("version__dataset")
        .defer("version__pictures", "version__report")
        .annotate(
            trainings=Count("version__experiments", distinct=True)
            + Count("version__ai_trainings", distinct=True)
        )
        .order_by("-withdrawn_at", "-pk")
    )


@dataclass(frozen=True)
class TakenOut:
    """A picture that is no longer in its dataset, while a frozen version keeps its file."""

    sha256: str
    file: str


def taken_out_pictures(dataset: Dataset) -> list[TakenOut]:
    """The pictures that only frozen versions of a dataset still have, and that were not withdrawn.

    Three queries; reads every version's list of pictures.
    """
    here = set(dataset.images.order_by().values_list("sha256", flat=True))
    withdrawn = Withdrawal.objects.filter(version__dataset=dataset)
    gone = here.union(withdrawn.values_list("picture_sha256", flat=True))
    frozen = DatasetVersion.objects.filter(dataset=dataset).values_list("pictures", flat=True)
    found = {
        picture["sha256"]: picture["file"]
        for pictures in frozen
        for picture in pictures
        if picture["sha256"] not in gone
    }
    return [TakenOut(sha256, file) for sha256, file in sorted(found.items())]
