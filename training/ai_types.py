"""What can be taught in an AI training, and what makes good pictures for it."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from training.models import Purpose
from training.needs import PurposeChoice, purposes

_ADVICE: dict[Purpose, tuple[Promise, ...]] = {
    Purpose.CHARACTER: (
        _("Show one person or animal and nobody else, from the shoulders up."),
        _("Vary light, background, clothes and expression; keep to one age and one haircut."),
        _("Ask everyone who is shown before you train on them."),
    ),
    Purpose.STYLE: (
        _("Choose works that share one look and show different things."),
        _("Leave out signatures, frames and text: these are learned too."),
        _("Say in the captions what is shown, not how it is drawn."),
    ),
    Purpose.OBJECT: (
        _("Show one thing, whole and sharp, from several sides."),
        _("Change the background from picture to picture, so that only the thing is learned."),
        _("Leave out hands and other things that would be taken for a part of it."),
    ),
}
_EXAMPLES: dict[Purpose, Promise] = {
    Purpose.CHARACTER: _("For example: woman, boy, cat, mascot"),
    Purpose.STYLE: _("What the pictures are. For example: drawing, icon, photo, painting"),
    Purpose.OBJECT: _("For example: mug, backpack, chair, car"),
}


@dataclass(frozen=True)
class AIType:
    """One of the three, with what it teaches and advice on its pictures."""

    choice: PurposeChoice
    advice: Sequence[Promise]


def ai_types() -> list[AIType]:
    """All three, as they are offered."""
    return [
        AIType(choice, _ADVICE[Purpose(choice.value)])
        for choice in purposes()
        if choice.value != Purpose.EXPERIMENT
    ]


def subject_examples(purpose: str) -> str:
    """Words that say what pictures show, for a purpose."""
    return str(_EXAMPLES[Purpose(purpose)])
