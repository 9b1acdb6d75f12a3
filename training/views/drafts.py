"""What the wizards of experiments and of AI trainings have in common: choosing a dataset, and starting."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from billing.exceptions import AccountBlocked, CreditsShort, FreeTrainingGone
from catalog.exceptions import CatalogError
from engines.starters.drawings import FAMILIES
from training import needs, selectors, services
from training.exceptions import TrainingError
from training.forms import DraftDatasetForm
from training.models import AITrainingDraft, Dataset, ExperimentDraft, Purpose, TrainingRun
from training.rights import rights_problem
from training.views.pages import Pages
from training.views.requests import StudioRequest
from training.views.steps import Step

Draft = ExperimentDraft | AITrainingDraft


@dataclass(frozen=True, kw_only=True)
class Wizard:
    """One kind's: its addresses, the start of its templates' names, its line of steps.

    `steps` takes a page's place and what has been chosen so far. `begin` makes a draft.
    """

    pages: Pages
    templates: str
    steps: Callable[[Any, Any], list[Step]]
    begin: Callable[..., Any]


def choose_dataset(
    request: StudioRequest, wizard: Wizard, draft: Draft | None, stage: Any, purpose: str = Purpose.EXPERIMENT
) -> HttpResponse:
    """Choose what a training learns from, of the datasets that fit its purpose; then go on to the setup."""
    data = request.POST if request.method == "POST" else None
    form = DraftDatasetForm(data, user=request.user, purpose=purpose)
    if form.is_valid():
        dataset = form.cleaned_data["dataset"]
        try:
            if draft is None:
                draft = wizard.begin(owner=request.user, dataset=dataset)
            else:
                services.change_draft(draft=draft, dataset=dataset)
        except TrainingError as error:
            form.add_error(error.field or None, str(error))
        else:
            return redirect(wizard.pages["draft_setup"], draft.pk)
    choices = selectors.datasets_to_train_on(request.user, purpose)
    rev = selectors.datasets_rev(choices)
    if request.htmx and request.GET.get("rev") == rev:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    kept = str(draft.dataset_id) if draft and draft.dataset_id else ""
    drawn = {choice.dataset.sample_family for choice in choices}
    families = FAMILIES.values() if purpose == Purpose.EXPERIMENT else []
    context = {
        "form": form,
        "draft": draft,
        "pages": wizard.pages,
        "purpose": Purpose(purpose),
        "steps": wizard.steps(stage, draft),
        "choices": choices,
        "chosen": form.data.get("dataset", "") if form.is_bound else request.GET.get("dataset", kept),
        "samples": [family for family in families if family.name not in drawn],
        "rev": rev,
        "is_active": any(choice.is_filling for choice in choices),
        "rights_url": _rights_address(request, form.unstated) if form.is_bound else "",
    }
    template = "draft_dataset.html#datasets" if request.htmx else f"{wizard.templates}dataset.html"
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    return render(request, f"training/{template}", context, status=status)


def _rights_address(request: StudioRequest, dataset: Dataset | None) -> str:
    """Where the rights to a dataset are stated, and from where one comes back here with it."""
    if dataset is None:
        return ""
    back = f"{request.path}?{urlencode({'dataset': str(dataset.pk)})}"
    address = reverse("training:dataset_rights", args=[dataset.pk])
    return f"{address}?{urlencode({'next': back})}"


def review_and_start(
    request: StudioRequest,
    wizard: Wizard,
    draft: Draft,
    *,
    summary: Callable[[], dict[str, Any]],
    start: Callable[[], TrainingRun],
) -> HttpResponse:
    """Show everything that was chosen with what it costs, `summary`; then `start`."""
    assert draft.dataset is not None
    template = f"training/{wizard.templates}start.html"
    if request.method == "POST":
        return _start(request, template, summary, start)
    if request.htmx:
        if request.GET.get("rev") == selectors.filling(draft.dataset).rev:
            return HttpResponse(status=HTTPStatus.NO_CONTENT)
        return render(request, "training/draft_start.html#live", summary() | {"is_live": True})
    return render(request, template, summary())


def _start(
    request: StudioRequest,
    template: str,
    summary: Callable[[], dict[str, Any]],
    start: Callable[[], TrainingRun],
) -> HttpResponse:
    status, problem, refusal = HTTPStatus.UNPROCESSABLE_ENTITY, None, ""
    try:
        return redirect(start())
    except (TrainingError, CatalogError, FreeTrainingGone) as error:
        refusal = str(error)
    except (CreditsShort, AccountBlocked) as error:
        status, problem = HTTPStatus.PAYMENT_REQUIRED, error
    context = summary() | {"problem": problem, "refusal": refusal}
    return render(request, template, context, status=status)


def dataset_summary(draft: Draft, pages: Pages, purpose: str) -> dict[str, Any]:
    """What the last page before a start says of the dataset."""
    dataset = draft.dataset
    assert dataset is not None
    return {
        "draft": draft,
        "pages": pages,
        "dataset": dataset,
        "covers": list(dataset.images.values_list("pk", flat=True)[: selectors.COVERS]),
        "filling": selectors.filling(dataset),
        "readiness": needs.readiness(dataset.picture_count, purpose),
        "rights_problem": rights_problem(dataset),
    }


def ask_and_delete_draft(request: StudioRequest, wizard: Wizard, draft: Draft) -> HttpResponse:
    """Ask, then delete a training that was not started."""
    if request.method == "POST":
        services.delete_draft(draft=draft)
        messages.success(request, _("What was chosen is deleted. Nothing had been started."))
        return redirect(wizard.pages["list"])
    return render(request, "training/draft_delete.html", {"draft": draft, "pages": wizard.pages})
