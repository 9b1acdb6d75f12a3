"""The four steps of making a training, as the line at the top of its pages shows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from training.models import AITrainingDraft, Experiment, ExperimentDraft


class Stage(IntEnum):
    """Where in the making of an experiment a page stands."""

    DATASET = 1
    SETUP = 2
    TRAINING = 3
    REVIEW = 4


_TITLES: dict[Stage, Promise] = {
    Stage.DATASET: _("Dataset"),
    Stage.SETUP: _("Setup"),
    Stage.TRAINING: _("Training"),
    Stage.REVIEW: _("Review"),
}


@dataclass(frozen=True)
class Step:
    """One of the four. `url` is "" where it cannot be gone to yet (or any more)."""

    number: int
    title: Promise
    url: str
    is_current: bool
    is_done: bool


class AIStage(IntEnum):
    """Where in the making of an AI training a page stands."""

    TYPE = 1
    DATASET = 2
    SETUP = 3
    TRAINING = 4


_AI_TITLES: dict[AIStage, Promise] = {
    AIStage.TYPE: _("Type"),
    AIStage.DATASET: _("Pictures"),
    AIStage.SETUP: _("Setup"),
    AIStage.TRAINING: _("Training"),
}


def draft_steps(current: Stage, draft: ExperimentDraft | None) -> list[Step]:
    """The steps of an experiment that is being set up; every one that has been reached can be gone to."""
    urls = {Stage.DATASET: reverse("training:experiment_create")}
    if draft is not None:
        urls[Stage.DATASET] = reverse("training:draft_dataset", args=[draft.pk])
        if draft.dataset_id:
            urls[Stage.SETUP] = reverse("training:draft_setup", args=[draft.pk])
        if draft.dataset_id and "steps" in draft.choices:
            urls[Stage.TRAINING] = reverse("training:draft_start", args=[draft.pk])
    return _steps(_TITLES, current, urls)


def ai_draft_steps(current: AIStage, draft: AITrainingDraft | None) -> list[Step]:
    """The steps of an AI training that is being set up."""
    urls = {AIStage.TYPE: reverse("training:ai_training_create")}
    if draft is not None:
        urls[AIStage.DATASET] = reverse("training:ai_draft_dataset", args=[draft.pk])
        if draft.dataset_id:
            urls[AIStage.SETUP] = reverse("training:ai_draft_setup", args=[draft.pk])
        if draft.dataset_id and "steps" in draft.choices:
            urls[AIStage.TRAINING] = reverse("training:ai_draft_start", args=[draft.pk])
    return _steps(_AI_TITLES, current, urls)


def experiment_steps(current: Stage, experiment: Experiment, *, has_snapshots: bool) -> list[Step]:
    """The steps of an experiment that was started."""
    training = reverse("training:experiment_detail", args=[experiment.pk])
    urls = {Stage.SETUP: f"{training}#facts", Stage.TRAINING: training}
    dataset_id = experiment.dataset_version.dataset_id
    if dataset_id:
        urls[Stage.DATASET] = reverse("training:dataset_detail", args=[dataset_id])
    if has_snapshots:
        urls[Stage.REVIEW] = reverse("training:experiment_review", args=[experiment.pk])
    return _steps(_TITLES, current, urls)


def _steps(titles: Mapping[Any, Promise], current: IntEnum, urls: Mapping[Any, str]) -> list[Step]:
    return [
        Step(int(stage), title, urls.get(stage, ""), is_current=stage == current, is_done=stage < current)
        for stage, title in titles.items()
    ]
