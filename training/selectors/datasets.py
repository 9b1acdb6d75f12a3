"""Questions about datasets that pages ask."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery

from accounts.models import User
from jobs.models import ACTIVE_STATES
from jobs.progress import read_progress
from training.models import Dataset, DatasetImage, Purpose, Upload, UploadedFile
from training.needs import Readiness, readiness

REFUSED_SHOWN = 100
COVERS = 4


def is_being_filled(dataset: Dataset) -> bool:
    """Whether files of the dataset are still being checked or drawn."""
    return bool(dataset.uploads.filter(job__state__in=ACTIVE_STATES).exists())


@dataclass(frozen=True, kw_only=True)
class Filling:
    """The running uploads of a dataset, taken together. `rev` changes with all that a page shows of them."""

    rev: str
    is_active: bool
    is_drawing: bool
    is_queue_away: bool
    step: int
    total: int


def filling(dataset: Dataset) -> Filling:
    """How far checking (or drawing) is. Two queries and one look into Redis for each running upload."""
    uploads = list(
        Upload.objects.filter(dataset=dataset, job__state__in=ACTIVE_STATES)
        .select_related("job")
        .annotate(
            known=Count("files", distinct=True),
            settled=Count("files", filter=~Q(files__status=UploadedFile.Status.WAITING), distinct=True),
        )
    )
    progress = [read_progress(upload.job) for upload in uploads if upload.job]
    pairs = list(zip(uploads, progress, strict=True))
    return Filling(
        rev="-".join(str(known.rev) for known in progress) or "0",
        is_active=bool(uploads),
        is_queue_away=any(known.is_queue_away for known in progress),
        is_drawing=bool(dataset.sample_family) and any(not upload.known for upload in uploads),
        step=sum(known.step if known.total else upload.settled for upload, known in pairs),
        total=sum(known.total or upload.known for upload, known in pairs),
    )


@dataclass(frozen=True)
class Verdicts:
    """What became of all files that were ever sent, and the newest of those that were refused."""

    duplicates: int
    refused: int
    newest_refused: Sequence[UploadedFile]

    @property
    def more_refused(self) -> int:
        """How many refused files are not listed."""
        return max(0, self.refused - len(self.newest_refused))


def verdicts(dataset: Dataset) -> Verdicts:
    """Two queries."""
    sent = UploadedFile.objects.filter(upload__dataset=dataset)
    refused = sent.filter(status=UploadedFile.Status.REFUSED)
    counts = sent.aggregate(
        duplicates=Count("pk", filter=Q(status=UploadedFile.Status.DUPLICATE)),
        refused=Count("pk", filter=Q(status=UploadedFile.Status.REFUSED)),
    )
    newest = (
        list(refused.select_related("archive").order_by("-pk")[:REFUSED_SHOWN]) if counts["refused"] else []
    )
    return Verdicts(counts["duplicates"], counts["refused"], newest)


def datasets_with_covers(user: User) -> QuerySet[Dataset]:
    """The user's datasets, each with `covers`, the ids of up to four of its pictures, and `alike`.

    `alike` is how many are nearly copies of others, or None for none.
    """
    pictures = DatasetImage.objects.filter(dataset=OuterRef("pk")).order_by("-created_at", "-id")
    in_groups = pictures.filter(likeness_group__isnull=False).order_by().values("dataset")
    alike = in_groups.annotate(alike=Count("pk") - Count("likeness_group", distinct=True)).values("alike")
    working = Upload.objects.filter(dataset=OuterRef("pk"), job__state__in=ACTIVE_STATES)
    datasets: QuerySet[Dataset] = Dataset.objects.owned_by(user)
    return datasets.annotate(
        covers=ArraySubquery(pictures.values("pk")[:COVERS]),
        alike=Subquery(alike),
        is_filling=Exists(working),
    )


@dataclass(frozen=True)
class DatasetChoice:
    """A dataset: whether its files are still being checked, and what may be expected of it."""

    dataset: Dataset
    is_filling: bool
    readiness: Readiness


def datasets_to_train_on(user: User, purpose: str = Purpose.EXPERIMENT) -> list[DatasetChoice]:
    """The user's datasets with covers, as a wizard offers them. One query.

    An experiment may be made with any; what has captions and a keyword is of one purpose.
    """
    datasets = datasets_with_covers(user)
    if purpose != Purpose.EXPERIMENT:
        datasets = datasets.filter(purpose=purpose)
    return [_judged(dataset, purpose) for dataset in datasets]


def datasets_to_list(user: User) -> list[DatasetChoice]:
    """The same, each judged for its own purpose. One query."""
    return [_judged(dataset, dataset.purpose) for dataset in datasets_with_covers(user)]


def _judged(dataset: Dataset, purpose: str) -> DatasetChoice:
    found: Any = dataset  # with the annotations of `datasets_with_covers`
    judged = readiness(dataset.picture_count, purpose, alike=found.alike or 0)
    return DatasetChoice(dataset, found.is_filling, judged)


def datasets_rev(choices: Iterable[DatasetChoice]) -> str:
    """What a page that shows datasets compares, to see whether they have changed."""
    shown = (f"{one.dataset.pk}{one.dataset.picture_count}{one.is_filling}" for one in choices)
    return hashlib.sha256("".join(shown).encode()).hexdigest()[:16]
