"""Questions about experiments that pages ask."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet, Subquery
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from jobs.models import Job, State
from training.charts import Chart, line_chart
from training.models import DatasetImage, Experiment, ExperimentDraft, Film, Snapshot
from training.selectors.datasets import COVERS


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
