"""How many pictures a training needs: the one place that the report, the wizard and the start all ask."""

from dataclasses import dataclass
from typing import Literal

from django.utils.translation import gettext as _

from engines.stylegan.config import MIN_IMAGES, RECOMMENDED_IMAGES
from training.models import Purpose

Level = Literal["good", "fair", "poor"]


@dataclass(frozen=True)
class Need:
    """With fewer than `minimum` pictures nothing starts; `low` to `high` of them work best."""

    minimum: int
    low: int
    high: int


_AI_TRAINING = Need(minimum=5, low=15, high=25)
NEEDS = {
    Purpose.EXPERIMENT: Need(MIN_IMAGES, *RECOMMENDED_IMAGES),
    Purpose.CHARACTER: _AI_TRAINING,
    Purpose.STYLE: _AI_TRAINING,
    Purpose.OBJECT: _AI_TRAINING,
}


@dataclass(frozen=True)
class Readiness:
    """Whether so many pictures are fit for a training, with the sentence that says what to do.

    `percent` is how far their number is towards the one that works best, at most 100.
    """

    level: Level
    sentence: str
    is_enough: bool
    percent: int


def readiness(count: int, purpose: str = Purpose.EXPERIMENT) -> Readiness:
    """Judge a number of pictures against what the training needs."""
    need = NEEDS[Purpose(purpose)]
    percent = min(100, 100 * count // need.low)
    numbers = {"needed": need.minimum, "low": f"{need.low:,}", "high": f"{need.high:,}"}
    if count < need.minimum:
        sentence = _(
            "Training needs at least %(needed)d pictures. Add %(missing)d more; "
            "%(low)s to %(high)s work best."
        )
        missing = need.minimum - count
        return Readiness("poor", sentence % {**numbers, "missing": missing}, is_enough=False, percent=percent)
    if count < need.low:
        if purpose == Purpose.EXPERIMENT:
            sentence = _(
                "Enough to train from a starting point. %(low)s to %(high)s pictures give better results."
            )
        else:
            sentence = _("Enough to train. %(low)s to %(high)s pictures give better results.")
        return Readiness("fair", sentence % numbers, is_enough=True, percent=percent)
    return Readiness("good", _("Enough for a good training."), is_enough=True, percent=percent)
