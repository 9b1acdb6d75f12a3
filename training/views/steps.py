"""The four steps of an experiment, as the line at the top of its pages shows them."""

from dataclasses import dataclass
from enum import IntEnum

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from training.models import Experiment, ExperimentDraft


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


def draft_steps(current: Stage, draft: ExperimentDraft | None) -> list[Step]:
    """The steps of an experiment that is being set up; every one that has been reached can be gone to."""
    urls = {Stage.DATASET: reverse("training:experiment_create")}
    if draft is not None:
        urls[Stage.DATASET] = reverse("training:draft_dataset", args=[draft.pk])
        if draft.dataset_id:
            urls[Stage.SETUP] = reverse("training:draft_setup", args=[draft.pk])
        if draft.dataset_id and "steps" in draft.choices:
            urls[Stage.TRAINING] = reverse("training:draft_start", args=[draft.pk])
    return _steps(current, urls)


def experiment_steps(current: Stage, experiment: Experiment, *, has_snapshots: bool) -> list[Step]:
    """The steps of an experiment that was started."""
    training = reverse("training:experiment_detail", args=[experiment.pk])
    urls = {Stage.SETUP: f"{training}#facts", Stage.TRAINING: training}
    dataset_id = experiment.dataset_version.dataset_id
    if dataset_id:
        urls[Stage.DATASET] = reverse("training:dataset_detail", args=[dataset_id])
    if has_snapshots:
        urls[Stage.REVIEW] = reverse("training:experiment_review", args=[experiment.pk])
    return _steps(current, urls)


def _steps(current: Stage, urls: dict[Stage, str]) -> list[Step]:
    return [
        Step(int(stage), title, urls.get(stage, ""), is_current=stage == current, is_done=stage < current)
        for stage, title in _TITLES.items()
    ]
