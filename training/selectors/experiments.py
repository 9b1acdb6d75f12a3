"""Questions about experiments and AI trainings that pages ask."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from jobs.models import Job, State
from training.charts import Chart, line_chart
from training.models import (
    AISnapshot,
    AITraining,
    AITrainingDraft,
    DatasetImage,
    Experiment,
    ExperimentDraft,
    Film,
    Snapshot,
    TrainingRun,
)
from training.selectors.datasets import COVERS

Run = TypeVar("Run", Experiment, AITraining)


def experiments_with_covers(user: User) -> QuerySet[Experiment]:
    """The user's experiments with job and version; `cover` and `cover_attempt` are of the newest snapshot."""
    newest = Snapshot.objects.filter(experiment=OuterRef("pk")).order_by("-step")
    found: QuerySet[Experiment] = Experiment.objects.owned_by(user).select_related("starting_point__model")
    return _with_covers(found, newest)


def ai_trainings_with_covers(user: User) -> QuerySet[AITraining]:
    """The user's AI trainings, likewise."""
    newest = AISnapshot.objects.filter(training=OuterRef("pk")).order_by("-step")
    found: QuerySet[AITraining] = AITraining.objects.owned_by(user)
    return _with_covers(found, newest)


def _with_covers(found: QuerySet[Run], newest: QuerySet[Any]) -> QuerySet[Run]:
    return (
        found.select_related("job", "dataset_version")
        .defer("dataset_version__pictures")
        .annotate(
            cover=Subquery(newest.values("pk")[:1]), cover_attempt=Subquery(newest.values("attempt")[:1])
        )
    )


def drafts_with_covers(user: User) -> QuerySet[ExperimentDraft]:
    """The user's experiments that were not started, with `covers` of their datasets as above. One query."""
    drafts: QuerySet[ExperimentDraft] = ExperimentDraft.objects.owned_by(user)
    return drafts.select_related("dataset", "continued_from__experiment").annotate(covers=_covers())


def ai_drafts_with_covers(user: User) -> QuerySet[AITrainingDraft]:
    """The user's AI trainings that were not started, likewise."""
    drafts: QuerySet[AITrainingDraft] = AITrainingDraft.objects.owned_by(user)
    return drafts.select_related("dataset").annotate(covers=_covers())


def _covers() -> ArraySubquery:
    pictures = DatasetImage.objects.filter(dataset=OuterRef("dataset")).order_by("-created_at", "-id")
    return ArraySubquery(pictures.values("pk")[:COVERS])


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
    def of(cls, snapshot: Snapshot | AISnapshot) -> "Frame":
        """The frame of a snapshot."""
        label = _("Step %(step)s") % {"step": f"{snapshot.step:,}"}
        return cls(snapshot.grid_url, snapshot.step, label)


@dataclass(frozen=True)
class LogLine:
    """One line of a training's log."""

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


def log_lines(job: Job, snapshots: Sequence[Snapshot | AISnapshot]) -> list[LogLine]:
    """What has happened to a training, the newest first. One query."""
    lines = [LogLine(event.at, str(_EVENTS[event.to_state])) for event in job.events.all()]
    for snapshot in snapshots:
        text = _("Snapshot at step %(step)s") if snapshot.folder else _("Sample at step %(step)s")
        lines.append(LogLine(snapshot.created_at, text % {"step": f"{snapshot.step:,}"}))
    return sorted(lines, key=lambda line: line.at, reverse=True)


def loss_chart(training: TrainingRun, losses: Mapping[str, Promise]) -> Chart | None:
    """The losses over the steps, each with its label; None before there are two points. One query."""
    stats = list(training.stats.values_list("step", "values"))
    return line_chart(
        title=_("Loss"),
        summary=_("%(losses)s: the loss by step.") % {"losses": ", ".join(map(str, losses.values()))},
        x_label=_("Step"),
        series={
            name: (label, [(step, float(values[name])) for step, values in stats if name in values])
            for name, label in losses.items()
        },
        last_x=training.steps,
    )


LOSSES: dict[str, Promise] = {
    "loss_g": gettext_lazy("Generator"),
    "loss_d": gettext_lazy("Discriminator"),
}
