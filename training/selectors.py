"""Questions about datasets and experiments that pages ask."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from engines.stylegan.config import MIN_IMAGES, RECOMMENDED_IMAGES
from jobs.models import ACTIVE_STATES, Job, State
from jobs.progress import read_progress
from training.charts import Chart, line_chart
from training.models import (
    Dataset,
    DatasetImage,
    Experiment,
    ExperimentDraft,
    Film,
    Snapshot,
    Upload,
    UploadedFile,
)

PICTURES_PER_PAGE = 60
REFUSED_SHOWN = 100
COVERS = 4


def is_being_filled(dataset: Dataset) -> bool:
    """Whether files of the dataset are still being checked or drawn."""
    return bool(dataset.uploads.filter(job__state__in=ACTIVE_STATES).exists())


@dataclass(frozen=True)
class Readiness:
    """Whether a dataset is fit for training, with the sentence that says what to do.

    `percent` is how far the number of pictures is towards the one that works best, at most 100.
    """

    level: Literal["good", "fair", "poor"]
    sentence: str
    is_enough: bool
    percent: int


def readiness(count: int) -> Readiness:
    """Judge a number of pictures against what the training needs."""
    low, high = RECOMMENDED_IMAGES
    percent = min(100, 100 * count // low)
    numbers = {"count": count, "needed": MIN_IMAGES, "low": f"{low:,}", "high": f"{high:,}"}
    if count < MIN_IMAGES:
        numbers["missing"] = MIN_IMAGES - count
        sentence = _(
            "Training needs at least %(needed)d pictures. Add %(missing)d more; "
            "%(low)s to %(high)s work best."
        )
        return Readiness("poor", sentence % numbers, is_enough=False, percent=percent)
    if count < low:
        sentence = _(
            "Enough to train from a starting point. %(low)s to %(high)s pictures give better results."
        )
        return Readiness("fair", sentence % numbers, is_enough=True, percent=percent)
    return Readiness("good", _("Enough for a good training.") % numbers, is_enough=True, percent=percent)


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


@dataclass(frozen=True)
class PicturePage:
    """Some pictures of a dataset, and the cursor of those that follow, "" at the end."""

    pictures: Sequence[DatasetImage]
    next_cursor: str


def picture_page(dataset: Dataset, cursor: str) -> PicturePage:
    """The pictures after a cursor, the newest first; one query. Raises ValueError for a bad cursor."""
    pictures = dataset.images.order_by("-created_at", "-id")
    if cursor:
        at, last = _read_cursor(cursor)
        pictures = pictures.filter(Q(created_at__lt=at) | Q(created_at=at, id__lt=last))
    found = list(pictures[: PICTURES_PER_PAGE + 1])
    shown = found[:PICTURES_PER_PAGE]
    following = f"{shown[-1].created_at.isoformat()}_{shown[-1].pk}" if len(found) > len(shown) else ""
    return PicturePage(shown, following)


def _read_cursor(cursor: str) -> tuple[datetime, UUID]:
    at, _separator, last = cursor.partition("_")
    moment = datetime.fromisoformat(at.replace(" ", "+"))
    if moment.tzinfo is None:
        raise ValueError("a cursor's time has a zone")
    return moment, UUID(last)


def datasets_with_covers(user: User) -> QuerySet[Dataset]:
    """The user's datasets, each with `covers`: the ids of up to four of its pictures."""
    pictures = DatasetImage.objects.filter(dataset=OuterRef("pk")).order_by("-created_at", "-id")
    datasets: QuerySet[Dataset] = Dataset.objects.owned_by(user)
    return datasets.annotate(covers=ArraySubquery(pictures.values("pk")[:COVERS]))


@dataclass(frozen=True)
class DatasetChoice:
    """A dataset to train on: whether its files are still being checked, and what may be expected of it."""

    dataset: Dataset
    is_filling: bool
    readiness: Readiness


def datasets_to_train_on(user: User) -> list[DatasetChoice]:
    """The user's datasets with covers, as the wizard offers them. One query."""
    working = Upload.objects.filter(dataset=OuterRef("pk"), job__state__in=ACTIVE_STATES)
    return [
        DatasetChoice(dataset, dataset.is_filling, readiness(dataset.picture_count))
        for dataset in datasets_with_covers(user).annotate(is_filling=Exists(working))
    ]


def datasets_rev(choices: Iterable[DatasetChoice]) -> str:
    """What a page that shows datasets compares, to see whether they have changed."""
    shown = (f"{one.dataset.pk}{one.dataset.picture_count}{one.is_filling}" for one in choices)
    return hashlib.sha256("".join(shown).encode()).hexdigest()[:16]


def experiments_with_covers(user: User) -> QuerySet[Experiment]:
    """The user's experiments with job and version; `cover` and `cover_attempt` are of the newest snapshot."""
    newest = Snapshot.objects.filter(experiment=OuterRef("pk")).order_by("-step")
    found: QuerySet[Experiment] = (
        Experiment.objects.owned_by(user)
        .select_related("job", "dataset_version", "starting_point__model")
        .defer("dataset_version__pictures")
        .annotate(
            cover=Subquery(newest.values("pk")[:1]), cover_attempt=Subquery(newest.values("attempt")[:1])
        )
    )
    return found


def drafts_with_covers(user: User) -> QuerySet[ExperimentDraft]:
    """The user's experiments that were not started, with `covers` of their datasets as above. One query."""
    pictures = DatasetImage.objects.filter(dataset=OuterRef("dataset")).order_by("-created_at", "-id")
    drafts: QuerySet[ExperimentDraft] = ExperimentDraft.objects.owned_by(user)
    return drafts.select_related("dataset", "continued_from__experiment").annotate(
        covers=ArraySubquery(pictures.values("pk")[:COVERS])
    )


@dataclass(frozen=True)
class ExperimentParts:
    """What goes when an experiment is deleted, and which experiments went on from it and stay."""

    snapshots: int
    has_film: bool
    continuations: int


def parts_of_experiment(experiment: Experiment) -> ExperimentParts:
    """Three queries."""
    return ExperimentParts(
        snapshots=experiment.snapshots.count(),
        has_film=Film.objects.filter(experiment=experiment).exclude(file="").exists(),
        continuations=Experiment.objects.filter(continued_from__experiment=experiment).count(),
    )


@dataclass(frozen=True)
class Frame:
    """One picture of the film of a training."""

    url: str
    step: int
    label: str

    @classmethod
    def of(cls, experiment: Experiment, snapshot: Snapshot) -> "Frame":
        """The frame of a snapshot; its address changes when a resumed training writes the step again."""
        url = reverse("training:snapshot_grid", args=[experiment.pk, snapshot.pk])
        label = _("Step %(step)s") % {"step": f"{snapshot.step:,}"}
        return cls(f"{url}?attempt={snapshot.attempt}", snapshot.step, label)


@dataclass(frozen=True)
class LogLine:
    """One line of an experiment's log."""

    at: datetime
    text: str


_EVENTS: dict[str, Promise] = {
    State.QUEUED: gettext_lazy("Waiting for a worker"),
    State.RUNNING: gettext_lazy("Training began"),
    State.STOPPING: gettext_lazy("Stopping after the step it is in"),
    State.SUCCEEDED: gettext_lazy("Training is done"),
    State.STOPPED: gettext_lazy("Stopped; what was learned is kept"),
    State.FAILED: gettext_lazy("Training failed"),
    State.CANCELED: gettext_lazy("Canceled before it began"),
}


def log_lines(job: Job, snapshots: Sequence[Snapshot]) -> list[LogLine]:
    """What has happened to a training, the newest first. One query."""
    lines = [LogLine(event.at, str(_EVENTS[event.to_state])) for event in job.events.all()]
    for snapshot in snapshots:
        text = _("Snapshot at step %(step)s") if snapshot.folder else _("Sample at step %(step)s")
        lines.append(LogLine(snapshot.created_at, text % {"step": f"{snapshot.step:,}"}))
    return sorted(lines, key=lambda line: line.at, reverse=True)


def loss_chart(experiment: Experiment) -> Chart | None:
    """The losses over the steps; None before there are two points. One query."""
    stats = list(experiment.stats.values_list("step", "values"))
    return line_chart(
        title=_("Loss"),
        summary=_("Losses of the generator and of the discriminator by step."),
        x_label=_("Step"),
        series={
            name: (label, [(step, float(values[name])) for step, values in stats if name in values])
            for name, label in LOSSES.items()
        },
        last_x=experiment.steps,
    )


LOSSES: dict[str, Promise] = {
    "loss_g": gettext_lazy("Generator"),
    "loss_d": gettext_lazy("Discriminator"),
}


@dataclass(frozen=True)
class DatasetDependents:
    """What depends on a dataset: trainings under way, those that have ended, and saved models."""

    active: int
    ended: int
    models: int

    def __bool__(self) -> bool:
        return bool(self.active or self.ended or self.models)


def dependents_of_dataset(dataset: Dataset) -> DatasetDependents:
    """One query."""
    is_active = Q(job__state__in=ACTIVE_STATES)
    counts = Experiment.objects.filter(dataset_version__dataset=dataset).aggregate(
        active=Count("pk", filter=is_active),
        ended=Count("pk", filter=~is_active),
        models=Count("saved_model", distinct=True),
    )
    return DatasetDependents(**counts)
