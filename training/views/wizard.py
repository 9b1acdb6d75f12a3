"""The wizard: dataset, setup, start. What was chosen so far is a draft, so nothing is lost between steps."""

from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST

from training import estimates, previews, services, starts
from training.exceptions import TrainingError
from training.forms import SetupForm
from training.models import Crop, ExperimentDraft, Purpose, Snapshot
from training.speeds import MachinesHere
from training.views.drafts import (
    Wizard,
    ask_and_delete_draft,
    choose_dataset,
    dataset_summary,
    review_and_start,
)
from training.views.pages import EXPERIMENTS
from training.views.requests import StudioRequest
from training.views.steps import Stage, draft_steps

_FORM_METHODS = ["GET", "HEAD", "POST"]
WIZARD = Wizard(pages=EXPERIMENTS, templates="draft_", steps=draft_steps, begin=services.create_draft)


@require_http_methods(_FORM_METHODS)
@login_required
def create_experiment(request: StudioRequest) -> HttpResponse:
    """Begin an experiment: choose what it learns from."""
    return choose_dataset(request, WIZARD, None, Stage.DATASET)


@require_http_methods(_FORM_METHODS)
@login_required
def edit_dataset(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Choose another dataset for an experiment that was not started."""
    return choose_dataset(request, WIZARD, _own_draft(request, pk), Stage.DATASET)


@require_http_methods(_FORM_METHODS)
@login_required
def edit_setup(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Choose starting point and settings; a fragment estimates what they come to."""
    draft = _own_draft(request, pk)
    if draft.dataset is None:
        return redirect("training:draft_dataset", pk)
    if request.method == "POST":
        typed = SetupForm.typed(request.POST.dict())
        elsewhere = _elsewhere(request.POST.get("go", ""), pk)
        if elsewhere:
            services.change_draft(draft=draft, choices=typed)
            return redirect(elsewhere)
        form = _setup_form(request, draft, typed)
        if form.is_valid():
            services.change_draft(draft=draft, choices=typed)
            return redirect("training:draft_start", pk)
        return _show_setup(request, draft, form, HTTPStatus.UNPROCESSABLE_ENTITY)
    if request.htmx.target == "estimate":
        form = _setup_form(request, draft, SetupForm.typed(request.GET.dict()))
        return render(request, "training/draft_setup.html#estimate", _estimate(request, draft, form))
    return _show_setup(request, draft, _setup_form(request, draft))


def _elsewhere(go: str, pk: UUID) -> str:
    """Where a button of the setup leads that is not its end: back a step, or to mixing a starting point."""
    if go == "dataset":
        return reverse("training:draft_dataset", args=[pk])
    if go == "mix":
        back = urlencode({"next": reverse("training:draft_setup", args=[pk])})
        return f"{reverse('catalog:mix_create')}?{back}"
    return ""


def _show_setup(
    request: StudioRequest, draft: ExperimentDraft, form: SetupForm, status: HTTPStatus = HTTPStatus.OK
) -> HttpResponse:
    assert draft.dataset is not None
    room = starts.find_room()
    machines = MachinesHere()
    times = estimates.usual_times(form.starts, machines)
    offered = [(start, seconds, room.judge(start)) for start, seconds in times]
    context = {
        "form": form,
        "draft": draft,
        "steps": draft_steps(Stage.SETUP, draft),
        "models": [offer for offer in offered if not offer[0].is_scratch],
        "scratch": [offer for offer in offered if offer[0].is_scratch],
        "crops": previews.preview_crops(draft.dataset),
        **_estimate(request, draft, form, machines),
    }
    return render(request, "training/draft_setup.html", context, status=status)


@require_http_methods(_FORM_METHODS)
@login_required
def start_experiment(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Show everything that was chosen with what it costs; then start."""
    draft = _own_draft(request, pk)
    if draft.dataset is None:
        return redirect("training:draft_dataset", pk)
    form = _setup_form(request, draft)
    if not form.is_valid():
        return redirect("training:draft_setup", pk)
    return review_and_start(
        request,
        WIZARD,
        draft,
        summary=partial(_summary, request, draft, form),
        start=lambda: services.start_draft(draft=draft, **form.values()),
    )


def _summary(request: StudioRequest, draft: ExperimentDraft, form: SetupForm) -> dict[str, Any]:
    """What the last page before the start shows."""
    return {
        **dataset_summary(draft, EXPERIMENTS, Purpose.EXPERIMENT),
        "steps": draft_steps(Stage.TRAINING, draft),
        "form": form,
        "start": form.chosen_start,
        "origin": form.chosen_start.in_words,
        "origin_picture": form.chosen_start.picture,
        "chosen": form.cleaned_data,
        "crop_title": Crop(form.cleaned_data["crop"]).label,
        "overrides": form.overrides,
        "warning": starts.find_room().judge(form.chosen_start),
        **_estimate(request, draft, form),
    }


@require_http_methods(_FORM_METHODS)
@login_required
def delete_draft(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Ask, then delete an experiment that was not started."""
    return ask_and_delete_draft(request, WIZARD, _own_draft(request, pk))


@require_POST
@login_required
def continue_snapshot(request: StudioRequest, pk: UUID, snapshot_pk: UUID) -> HttpResponse:
    """Begin an experiment that goes on from a snapshot."""
    snapshots = Snapshot.objects.select_related("experiment__owner", "experiment__dataset_version__dataset")
    found = get_object_or_404(snapshots, pk=snapshot_pk, experiment_id=pk, experiment__owner=request.user)
    try:
        draft = services.continue_from(snapshot=found)
    except TrainingError as error:
        messages.error(request, str(error))
        return redirect("training:experiment_review", pk)
    return redirect("training:draft_setup" if draft.dataset_id else "training:draft_dataset", draft.pk)


def _setup_form(
    request: StudioRequest, draft: ExperimentDraft, typed: dict[str, str] | None = None
) -> SetupForm:
    """The form with what was typed just now, else with what the draft holds."""
    found = starts.find_starts(request.user, draft.continued_from)
    kept = dict(draft.choices)
    if "start" in request.GET:  # a link names it: a mix of two models that was made for this experiment
        kept["start"] = request.GET["start"][: SetupForm.LONGEST]
    # What never came from the form itself is proposed; what did is judged again.
    data = typed if typed is not None else kept if "steps" in kept else None
    proposed = {"crop": draft.dataset.crop} if draft.dataset else {}
    return SetupForm(data, starts=found, initial={**proposed, **kept})


def _estimate(
    request: StudioRequest, draft: ExperimentDraft, form: SetupForm, machines: MachinesHere | None = None
) -> dict[str, object]:
    """What the training will take as the form stands, and how long the plan lets it run at a time."""
    planned = form.planned()
    estimate = estimates.estimate_training(
        user=request.user, planned=planned, dataset=draft.dataset, machines=machines
    )
    return {
        "draft": draft,
        "planned": planned,
        "start": form.chosen_start,
        "seconds": estimate.seconds,
        "cost": estimate.cost,
        "hours": estimates.hours_at_a_time(request.user),
    }


def _own_draft(request: StudioRequest, pk: UUID) -> ExperimentDraft:
    """Return the user's draft with its dataset and snapshot, or raise Http404."""
    drafts = ExperimentDraft.objects.owned_by(request.user).select_related(
        "dataset__licence", "continued_from__experiment__starting_point"
    )
    found: ExperimentDraft = get_object_or_404(drafts, pk=pk)
    return found
