"""The wizard: dataset, setup, start. What was chosen so far is a draft, so nothing is lost between steps."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from billing.exceptions import AccountBlocked, CreditsShort
from catalog.exceptions import CatalogError
from engines.starters.drawings import FAMILIES
from training import estimates, needs, previews, selectors, services, starts
from training.exceptions import TrainingError
from training.forms import DraftDatasetForm, SetupForm
from training.models import Crop, Dataset, ExperimentDraft, Snapshot
from training.rights import rights_problem
from training.speeds import MachinesHere
from training.views.requests import StudioRequest
from training.views.steps import Stage, draft_steps

_FORM_METHODS = ["GET", "HEAD", "POST"]


@require_http_methods(_FORM_METHODS)
@login_required
def create_experiment(request: StudioRequest) -> HttpResponse:
    """Begin an experiment: choose what it learns from."""
    return _choose_dataset(request, None)


@require_http_methods(_FORM_METHODS)
@login_required
def edit_dataset(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Choose another dataset for an experiment that was not started."""
    return _choose_dataset(request, _own_draft(request, pk))


def _choose_dataset(request: StudioRequest, draft: ExperimentDraft | None) -> HttpResponse:
    form = DraftDatasetForm(request.POST if request.method == "POST" else None, user=request.user)
    if form.is_valid():
        dataset = form.cleaned_data["dataset"]
        try:
            if draft is None:
                draft = services.create_draft(owner=request.user, dataset=dataset)
            else:
                services.change_draft(draft=draft, dataset=dataset)
        except TrainingError as error:
            form.add_error(error.field or None, str(error))
        else:
            return redirect("training:draft_setup", draft.pk)
    choices = selectors.datasets_to_train_on(request.user)
    rev = selectors.datasets_rev(choices)
    if request.htmx and request.GET.get("rev") == rev:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    drawn = {choice.dataset.sample_family for choice in choices}
    kept = str(draft.dataset_id) if draft and draft.dataset_id else ""
    chosen = form.data.get("dataset", "") if form.is_bound else request.GET.get("dataset", kept)
    context = {
        "form": form,
        "draft": draft,
        "steps": draft_steps(Stage.DATASET, draft),
        "choices": choices,
        "chosen": chosen,
        "samples": [family for family in FAMILIES.values() if family.name not in drawn],
        "rev": rev,
        "is_active": any(choice.is_filling for choice in choices),
        "rights_url": _rights_address(request, form.unstated) if form.is_bound else "",
    }
    template = "training/draft_dataset.html#datasets" if request.htmx else "training/draft_dataset.html"
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    return render(request, template, context, status=status)


def _rights_address(request: StudioRequest, dataset: Dataset | None) -> str:
    """Where the rights to a dataset are stated, and from where one comes back here with it."""
    if dataset is None:
        return ""
    back = f"{request.path}?{urlencode({'dataset': str(dataset.pk)})}"
    address = reverse("training:dataset_rights", args=[dataset.pk])
    return f"{address}?{urlencode({'next': back})}"


@require_http_methods(_FORM_METHODS)
@login_required
def edit_setup(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Choose starting point and settings; a fragment estimates what they come to."""
    draft = _own_draft(request, pk)
    if draft.dataset is None:
        return redirect("training:draft_dataset", pk)
    if request.method == "POST":
        typed = SetupForm.typed(request.POST.dict())
        if request.POST.get("go") == "dataset":
            services.change_draft(draft=draft, choices=typed)
            return redirect("training:draft_dataset", pk)
        form = _setup_form(request, draft, typed)
        if form.is_valid():
            services.change_draft(draft=draft, choices=typed)
            return redirect("training:draft_start", pk)
        return _show_setup(request, draft, form, HTTPStatus.UNPROCESSABLE_ENTITY)
    if request.htmx.target == "estimate":
        form = _setup_form(request, draft, SetupForm.typed(request.GET.dict()))
        return render(request, "training/draft_setup.html#estimate", _estimate(request, draft, form))
    return _show_setup(request, draft, _setup_form(request, draft))


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
    if request.method == "POST":
        return _start(request, draft, form)
    if request.htmx:
        filling = selectors.filling(draft.dataset)
        if request.GET.get("rev") == filling.rev:
            return HttpResponse(status=HTTPStatus.NO_CONTENT)
        context = _summary(request, draft, form) | {"is_live": True}
        return render(request, "training/draft_start.html#live", context)
    return render(request, "training/draft_start.html", _summary(request, draft, form))


def _start(request: StudioRequest, draft: ExperimentDraft, form: SetupForm) -> HttpResponse:
    status, problem, refusal = HTTPStatus.UNPROCESSABLE_ENTITY, None, ""
    try:
        experiment = services.start_draft(draft=draft, **form.values())
    except (TrainingError, CatalogError) as error:
        refusal = str(error)
    except (CreditsShort, AccountBlocked) as error:
        status, problem = HTTPStatus.PAYMENT_REQUIRED, error
    else:
        return redirect("training:experiment_detail", experiment.pk)
    context = _summary(request, draft, form) | {"problem": problem, "refusal": refusal}
    return render(request, "training/draft_start.html", context, status=status)


def _summary(request: StudioRequest, draft: ExperimentDraft, form: SetupForm) -> dict[str, Any]:
    """What the last page before the start shows."""
    assert draft.dataset is not None
    return {
        "draft": draft,
        "dataset": draft.dataset,
        "covers": list(draft.dataset.images.values_list("pk", flat=True)[: selectors.COVERS]),
        "steps": draft_steps(Stage.TRAINING, draft),
        "form": form,
        "start": form.chosen_start,
        "chosen": form.cleaned_data,
        "crop_title": Crop(form.cleaned_data["crop"]).label,
        "overrides": form.overrides,
        "warning": starts.find_room().judge(form.chosen_start),
        "filling": selectors.filling(draft.dataset),
        "readiness": needs.readiness(draft.dataset.picture_count),
        "rights_problem": rights_problem(draft.dataset),
        **_estimate(request, draft, form),
    }


@require_http_methods(_FORM_METHODS)
@login_required
def delete_draft(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Ask, then delete an experiment that was not started."""
    draft = _own_draft(request, pk)
    if request.method == "POST":
        services.delete_draft(draft=draft)
        messages.success(request, _("What was chosen is deleted. Nothing had been started."))
        return redirect("training:experiment_list")
    return render(request, "training/draft_delete.html", {"draft": draft})


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
    # What never came from the form itself is proposed; what did is judged again.
    data = typed if typed is not None else draft.choices if "steps" in draft.choices else None
    proposed = {"crop": draft.dataset.crop} if draft.dataset else {}
    return SetupForm(data, starts=found, initial={**proposed, **draft.choices})


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
