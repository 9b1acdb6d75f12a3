"""Guides inside the product: how to train, what models are, how custom generators are made."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from training.models import Purpose
from training.needs import NEEDS


@dataclass(frozen=True, kw_only=True)
class Guide:
    """A guide: the last part of its address, its words, its template and the picture on its card."""

    slug: str
    title: Promise
    summary: Promise
    template: str
    picture: str


GUIDES = (
    Guide(
        slug="train-your-own-models",
        title=_("Train your own models"),
        summary=_("Collect pictures, prepare them, choose a starting point, train, and use what came of it."),
        template="guides/train_detail.html",
        picture="img/sample-flowers.webp",
    ),
    Guide(
        slug="machine-learning-models",
        title=_("Machine learning models"),
        summary=_("What a model is, the three kinds, where they run, and what their licences ask of you."),
        template="guides/models_detail.html",
        picture="img/sample-landscapes.webp",
    ),
    Guide(
        slug="ai-training",
        title=_("Introduction to AI Training"),
        summary=_("Teach Text to Image a character, a style or an object with a handful of pictures."),
        template="guides/ai_training_detail.html",
        picture="img/sample-cats.webp",
    ),
)


@require_safe
def list_guides(request: HttpRequest) -> HttpResponse:
    """Show what there is to read."""
    return render(request, "guides/guide_list.html", {"guides": GUIDES})


@require_safe
def show_guide(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one guide."""
    guide = next((guide for guide in GUIDES if guide.slug == slug), None)
    if guide is None:
        raise Http404
    context: dict[str, Any] = {
        "guide": guide,
        "others": [other for other in GUIDES if other != guide],
        "experiment": NEEDS[Purpose.EXPERIMENT],
        "ai": NEEDS[Purpose.OBJECT],
        "has_credits": settings.CREDITS_ENABLED,
    }
    return render(request, guide.template, context)
