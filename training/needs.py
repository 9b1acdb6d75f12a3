"""How many pictures a training needs: the one place that the report, the wizard and the start all ask."""

from dataclasses import dataclass
from typing import Literal

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

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


_TEACHES: dict[Purpose, Promise] = {
    Purpose.EXPERIMENT: gettext_lazy("A model of its own, which makes new pictures of the same kind."),
    Purpose.CHARACTER: gettext_lazy("One person or animal, shoulders up and alone, for Text to Image."),
    Purpose.STYLE: gettext_lazy("The look that all the pictures share, for Text to Image."),
    Purpose.OBJECT: gettext_lazy("One thing or product from several sides, for Text to Image."),
}


@dataclass(frozen=True)
class PurposeChoice:
    """A purpose as it is offered: what is learned, and how many pictures that takes."""

    value: str
    title: str
    teaches: str
    takes: str


def purposes() -> list[PurposeChoice]:
    """All purposes, as they are offered."""
    choices = []
    for purpose in Purpose:
        need = NEEDS[purpose]
        takes = _("%(low)s to %(high)s pictures work best; %(needed)d are the least.")
        takes %= {"low": f"{need.low:,}", "high": f"{need.high:,}", "needed": need.minimum}
        choices.append(PurposeChoice(purpose.value, str(purpose.label), str(_TEACHES[purpose]), takes))
    return choices


@dataclass(frozen=True)
class Readiness:
    """Whether so many pictures are fit for a training, with the sentence that says what to do.

    `percent` is how far their number is towards the one that works best, at most 100.
    """

    level: Level
    sentence: str
    is_enough: bool
    percent: int


def readiness(count: int, purpose: str = Purpose.EXPERIMENT, *, alike: int = 0) -> Readiness:
    """Judge a number of pictures against what the training needs.

    `alike` of them are near-copies of others. Those do not help, but they do not forbid a start either:
    whether two pictures are too much alike is for their owner to say.
    """
    need = NEEDS[Purpose(purpose)]
    usable = count - alike
    numbers = {
        "count": f"{count:,}",
        "usable": f"{usable:,}",
        "needed": need.minimum,
        "low": f"{need.low:,}",
        "high": f"{need.high:,}",
    }
    level: Level = "good"
    if count < need.minimum:
        level = "poor"
        numbers["missing"] = need.minimum - count
        sentence = _(
            "Training needs at least %(needed)d pictures. Add %(missing)d more; "
            "%(low)s to %(high)s work best."
        )
    elif usable < need.minimum:
        level = "poor"
        sentence = _(
            "Of %(count)s pictures %(usable)s differ, which is hardly enough to learn from. "
            "Add pictures that differ; %(low)s to %(high)s work best."
        )
    elif usable >= need.low:
        sentence = _("Enough for a good training.")
    elif purpose == Purpose.EXPERIMENT:
        level = "fair"
        sentence = _(
            "Enough to train from a starting point. %(low)s to %(high)s pictures give better results."
        )
    else:
        level = "fair"
        sentence = _("Enough to train. %(low)s to %(high)s pictures give better results.")
    percent = min(100, 100 * usable // need.low)
    return Readiness(level, sentence % numbers, is_enough=count >= need.minimum, percent=percent)
