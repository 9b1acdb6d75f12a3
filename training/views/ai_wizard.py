"""The wizard of AI trainings: type, pictures, setup, start. What was chosen so far is a draft."""

from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from billing.selectors import free_training_of
from catalog.manifests import SAMPLE_GRID
from catalog.models import ModelVersion
from catalog.selectors import base_models
from catalog.terms import Action, refusals
from training import ai_estimates, ai_plans, estimates, keywords, needs, services
from training.ai_forms import AISetupForm
from training.ai_types import ai_types
from training.captions import ai_caption
from training.exceptions import TrainingError
from training.models import AITrainingDraft, Dataset, Purpose
from training.speeds import megapixels_of
from training.views.drafts import (
    Wizard,
    ask_and_delete_draft,
    choose_dataset,
    dataset_summary,
    review_and_start,
)
from training.views.pages import AI_TRAININGS
from training.views.requests import StudioRequest
from training.views.steps import AIStage, ai_draft_steps

_FORM_METHODS = ["GET", "HEAD", "POST"]
WIZARD = Wizard(
    pages=AI_TRAININGS, templates="ai_draft_", steps=ai_draft_steps, begin=services.create_ai_draft
)
# Captions that the setup shows as examples.
_CAPTIONS_SHOWN = 6


@require_safe
@login_required
def choose_type(request: StudioRequest) -> HttpResponse:
    """Begin an AI training: choose what it shall learn; with `?dataset=` that follows from the dataset."""
    dataset = _asked_dataset(request)
    if dataset is not None and dataset.purpose != Purpose.EXPERIMENT:
        address = reverse("training:ai_training_pictures", args=[dataset.purpose])
        return redirect(f"{address}?{urlencode({'dataset': str(dataset.pk)})}")
    context = {
        "types": ai_types(),
        "steps": ai_draft_steps(AIStage.TYPE, None),
        "has_base": base_models(request.user).exists(),
        "pages": AI_TRAININGS,
    }
    return render(request, "training/ai_draft_type.html", context)


def _asked_dataset(request: StudioRequest) -> Dataset | None:
    try:
        wanted = UUID(request.GET.get("dataset", ""))
    except ValueError:
        return None
    found: Dataset | None = Dataset.objects.owned_by(request.user).filter(pk=wanted).first()
    return found


@require_http_methods(_FORM_METHODS)
@login_required
def choose_pictures(request: StudioRequest, purpose: str) -> HttpResponse:
    """Choose the pictures of a new AI training of this type."""
    return choose_dataset(request, WIZARD, None, AIStage.DATASET, purpose)


@require_http_methods(_FORM_METHODS)
@login_required
def edit_dataset(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Choose other pictures for an AI training that was not started."""
    draft = _own_draft(request, pk)
    if draft.dataset is None:
        return redirect("training:ai_training_create")
    return choose_dataset(request, WIZARD, draft, AIStage.DATASET, draft.dataset.purpose)


@require_http_methods(_FORM_METHODS)
@login_required
def edit_setup(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Choose base, name and settings; fragments say what they come to."""
    draft = _own_draft(request, pk)
    bases = list(base_models(request.user))
    if draft.dataset is None or not bases:
        return redirect("training:ai_training_create")
    if request.method == "POST":
        typed = AISetupForm.typed(request.POST.dict())
        if request.POST.get("go") == "dataset":
            services.change_draft(draft=draft, choices=typed)
            return redirect("training:ai_draft_dataset", pk)
        form = _setup_form(request, draft, bases, typed)
        if form.is_valid():
            services.change_draft(draft=draft, choices=typed)
            return redirect("training:ai_draft_start", pk)
        return _show_setup(request, draft, form, HTTPStatus.UNPROCESSABLE_ENTITY)
    if request.htmx.target == "estimate":
        form = _setup_form(request, draft, bases, AISetupForm.typed(request.GET.dict()))
        context = _estimate(request, draft, form) | _words(draft, form) | {"is_live": True}
        return render(request, "training/ai_draft_setup.html#live", context)
    return _show_setup(request, draft, _setup_form(request, draft, bases))


def _show_setup(
    request: StudioRequest,
    draft: AITrainingDraft,
    form: AISetupForm,
    status: HTTPStatus = HTTPStatus.OK,
) -> HttpResponse:
    assert draft.dataset is not None
    refused = refusals(form.bases, Action.DERIVE, actor=request.user)
    context = {
        "form": form,
        "steps": ai_draft_steps(AIStage.SETUP, draft),
        "bases": [(base, refused.get(base.pk, "")) for base in form.bases],
        **_estimate(request, draft, form),
        **_words(draft, form),
        **_verdict(form.chosen_base, form.shown_keyword),
    }
    # A keyword that was proposed or kept is asked about at once; one that is typed, when it is changed.
    context["check_now"] = bool(form.shown_keyword) and context["verdict"] is None
    return render(request, "training/ai_draft_setup.html", context, status=status)


@require_http_methods(_FORM_METHODS)
@login_required
def check_keyword(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Have it measured what the base means by the keyword, and say what is known of it so far.

    It is measured when the form is posted here; asking again with GET only looks.
    """
    draft = _own_draft(request, pk)
    bases = list(base_models(request.user))
    if draft.dataset is None or not bases:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    typed = request.POST if request.method == "POST" else request.GET
    form = _setup_form(request, draft, bases, AISetupForm.typed(typed.dict()))
    base = form.chosen_base
    try:
        keyword = keywords.judge_keyword(request.user, form.shown_keyword)
    except TrainingError as error:
        verdict = keywords.Verdict("warning", str(error)) if form.shown_keyword else None
        context = {"draft": draft, "verdict": verdict}
        return render(request, "training/ai_draft_setup.html#keyword", context)
    if request.method == "POST" and keywords.verdict_on(base, keyword) is None:
        keywords.measure_keyword(owner=request.user, base=base, keyword=keyword)
    context = {"draft": draft, **_verdict(base, keyword)}
    return render(request, "training/ai_draft_setup.html#keyword", context)


@require_http_methods(_FORM_METHODS)
@login_required
def start_training(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Show everything that was chosen with what it costs; then start."""
    draft = _own_draft(request, pk)
    bases = list(base_models(request.user))
    if draft.dataset is None or not bases:
        return redirect("training:ai_training_create")
    form = _setup_form(request, draft, bases)
    if not form.is_valid():
        return redirect("training:ai_draft_setup", pk)
    return review_and_start(
        request,
        WIZARD,
        draft,
        summary=partial(_summary, request, draft, form),
        # What was shown as free is never charged: where the free training has gone, the page says so.
        start=lambda: services.start_ai_draft(draft=draft, is_free="free" in request.POST, **form.values()),
    )


def _summary(request: StudioRequest, draft: AITrainingDraft, form: AISetupForm) -> dict[str, Any]:
    """What the last page before the start shows."""
    assert draft.dataset is not None
    return {
        **dataset_summary(draft, AI_TRAININGS, draft.dataset.purpose),
        **_estimate(request, draft, form),
        **_words(draft, form),
        **_verdict(form.chosen_base, form.shown_keyword),
        "steps": ai_draft_steps(AIStage.TRAINING, draft),
        "form": form,
        "origin": form.chosen_base.model.title if _grid_url(form.chosen_base) else "",
        "origin_picture": _grid_url(form.chosen_base),
        "chosen": form.cleaned_data,
        "overrides": form.overrides,
    }


@require_http_methods(_FORM_METHODS)
@login_required
def delete_draft(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Ask, then delete an AI training that was not started."""
    return ask_and_delete_draft(request, WIZARD, _own_draft(request, pk))


def _setup_form(
    request: StudioRequest,
    draft: AITrainingDraft,
    bases: list[ModelVersion],
    typed: dict[str, str] | None = None,
) -> AISetupForm:
    """The form with what was typed just now, else with what the draft holds."""
    assert draft.dataset is not None
    # What never came from the form itself is proposed; what did is judged again.
    data = typed if typed is not None else draft.choices if "steps" in draft.choices else None
    return AISetupForm(data, user=request.user, dataset=draft.dataset, bases=bases, initial=draft.choices)


def _estimate(request: StudioRequest, draft: AITrainingDraft, form: AISetupForm) -> dict[str, Any]:
    """What the training will take as the form stands, and how long the plan lets it run at a time."""
    assert draft.dataset is not None
    planned = form.planned()
    estimate = ai_estimates.estimate_ai_training(
        user=request.user, planned=planned, megapixels=megapixels_of(draft.dataset)
    )
    is_free = free_training_of(request.user)
    return {
        "draft": draft,
        "pages": AI_TRAININGS,
        "is_free": is_free,
        "dataset": draft.dataset,
        "planned": planned,
        "snapshots": ai_plans.snapshot_count(planned),
        "base": form.chosen_base,
        "readiness": needs.readiness(draft.dataset.picture_count, draft.dataset.purpose),
        "seconds": estimate.seconds,
        "cost": None if is_free else estimate.cost,
        "hours": estimates.hours_at_a_time(request.user),
    }


def _words(draft: AITrainingDraft, form: AISetupForm) -> dict[str, Any]:
    """The keyword as it stands in the form, and what some of the pictures are shown with. Two queries."""
    assert draft.dataset is not None
    keyword, subject = form.shown_keyword or _("[keyword]"), form.shown_subject
    preset = ai_plans.preset_of(draft.dataset.purpose, form.chosen_base)
    templates = [ai_plans.filled(text, keyword=keyword, subject=subject) for text in preset.templates]
    captioned = draft.dataset.images.exclude(caption="")
    captions = [
        (picture, ai_caption(draft.dataset, picture.caption, keyword=keyword, subject=subject))
        for picture in captioned[:_CAPTIONS_SHOWN]
    ]
    count = captioned.count()
    return {
        "keyword": form.shown_keyword,
        "captions": captions,
        "captioned": count,
        "uncaptioned": draft.dataset.picture_count - count,
        "templates": templates,
    }


def _grid_url(base: ModelVersion) -> str:
    """The address of a base's sheet of samples; "" where it has none."""
    if not getattr(base, "has_grid", False):  # `base_models` says of each whether it has one
        return ""
    grid = reverse("catalog:file_download", args=[base.model.owner.handle, base.model.name, SAMPLE_GRID])
    return f"{grid}?v={base.sha256}"


def _verdict(base: ModelVersion, keyword: str) -> dict[str, Any]:
    return {"verdict": keywords.verdict_on(base, keyword) if keyword else None}


def _own_draft(request: StudioRequest, pk: UUID) -> AITrainingDraft:
    """Return the user's draft with its dataset, or raise Http404."""
    drafts = AITrainingDraft.objects.owned_by(request.user).select_related("dataset__licence")
    found: AITrainingDraft = get_object_or_404(drafts, pk=pk)
    return found
