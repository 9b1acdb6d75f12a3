"""Pages of datasets."""

from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalog.licences import OWN_WORK
from catalog.selectors import licence
from engines.starters.drawings import FAMILIES
from training import needs, quotas, reports, selectors, services
from training.crops import with_own_crop
from training.forms import DatasetForm
from training.models import Dataset, Purpose
from training.services.captions import count_following
from training.uses import uses_of_dataset
from training.views.access import own_dataset
from training.views.requests import StudioRequest


@require_safe
@login_required
def list_datasets(request: StudioRequest) -> HttpResponse:
    """Show the datasets of whoever asks, and the samples that can be had."""
    choices = selectors.datasets_to_list(request.user)
    families = {choice.dataset.sample_family for choice in choices}
    samples = [family for family in FAMILIES.values() if family.name not in families]
    return render(
        request,
        "training/dataset_list.html",
        {"choices": choices, "samples": samples, "storage": quotas.storage_of(request.user)},
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def create_dataset(request: StudioRequest) -> HttpResponse:
    """Make a dataset, empty at first."""
    form = DatasetForm(request.POST or None, initial=_asked_purpose(request))
    if request.method == "POST" and form.is_valid():
        # The licence is their own work's until they state another; no training starts before they have.
        dataset = services.create_dataset(owner=request.user, licence=licence(OWN_WORK), **form.cleaned_data)
        return redirect("training:dataset_detail", dataset.pk)
    return _show_form(request, form)


def _asked_purpose(request: StudioRequest) -> dict[str, object]:
    """The purpose that the address names, as a wizard's link does."""
    purpose = request.GET.get("purpose", "")
    return {"purpose": purpose} if purpose in Purpose.values else {}


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def edit_dataset(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Change what a dataset is called and what it is for."""
    dataset = own_dataset(request, pk)
    name, was = dataset.name, dataset.purpose  # the form writes what was typed into the row
    form = DatasetForm(request.POST or None, instance=dataset)
    if request.method == "POST" and form.is_valid():
        services.describe_dataset(dataset=dataset, **form.cleaned_data)
        if _has_followers(dataset, was):
            return redirect(f"{reverse('training:dataset_captions', args=[pk])}?{urlencode({'was': was})}")
        return redirect("training:dataset_detail", pk)
    return _show_form(request, form, {"dataset": dataset, "name": name})


def _has_followers(dataset: Dataset, was: str) -> bool:
    """Whether captions still are what the purpose before made of them."""
    if dataset.purpose in {was, Purpose.EXPERIMENT}:
        return False
    return count_following(dataset, was) > 0


def _show_form(
    request: StudioRequest, form: DatasetForm, context: dict[str, object] | None = None
) -> HttpResponse:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    shown = {"form": form, "purposes": needs.purposes(), **(context or {})}
    return render(request, "training/dataset_form.html", shown, status=status)


@require_POST
@login_required
def create_sample(request: StudioRequest, family: str) -> HttpResponse:
    """Have a sample dataset drawn; with `next=train` go on to a new experiment with it."""
    if family not in FAMILIES:
        raise Http404
    dataset = services.create_sample_dataset(owner=request.user, family=family)
    if request.POST.get("next") == "train":
        return redirect(f"{_wizard_address(request)}?{urlencode({'dataset': str(dataset.pk)})}")
    return redirect("training:dataset_detail", dataset.pk)


def _wizard_address(request: StudioRequest) -> str:
    """The first step of the experiment that `draft` names, or of a new one."""
    try:
        return reverse("training:draft_dataset", args=[UUID(request.POST.get("draft", ""))])
    except ValueError:
        return reverse("training:experiment_create")


@require_safe
@login_required
def show_dataset(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Show a dataset; with `?rev=` what has changed of it, with `?after=` the pictures that follow.

    With `?show=` only the pictures with that mark are shown, or those that have a crop of their own.
    """
    dataset = own_dataset(request, pk)
    if request.htmx and "rev" in request.GET:
        filling = selectors.filling(dataset)
        if request.GET["rev"] == filling.rev:
            return HttpResponse(status=HTTPStatus.NO_CONTENT)
        context = dataset_context(request, dataset, filling) | {"is_live": True}
        return render(request, "training/dataset_detail.html#live", context)
    if request.htmx and "after" in request.GET:
        return render(request, "training/dataset_detail.html#pages", dataset_context(request, dataset))
    return render(request, "training/dataset_detail.html", dataset_context(request, dataset))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def delete_dataset(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Ask, naming what depends on the dataset; then delete it."""
    dataset = own_dataset(request, pk)
    if request.method == "POST":
        services.delete_dataset(dataset=dataset)
        messages.success(request, _("%(name)s was deleted.") % {"name": dataset.name})
        return redirect("training:dataset_list")
    context = {"dataset": dataset, "uses": uses_of_dataset(dataset)}
    return render(request, "training/dataset_delete.html", context)


def dataset_context(
    request: StudioRequest, dataset: Dataset, filling: selectors.Filling | None = None
) -> dict[str, object]:
    """What the page of a dataset and its fragments show. Raises BadRequest for a tampered address."""
    after, show = request.GET.get("after", ""), request.GET.get("show", "")
    try:
        page = selectors.picture_page(dataset, after, show)
    except ValueError as error:
        raise BadRequest("a tampered cursor or an unknown mark") from error
    report = reports.report_of(dataset)
    counts = reports.counts_of(report.figures)
    return {
        "dataset": dataset,
        "filling": filling or selectors.filling(dataset),
        "verdicts": selectors.verdicts(dataset),
        "report": report,
        "fits_experiment": needs.readiness(dataset.picture_count).is_enough,
        "is_for_ai": dataset.purpose != Purpose.EXPERIMENT,
        "page": page,
        "show": show,
        "filters": [(mark, count) for mark, count in counts.items() if count or mark == show],
        "own_crops": with_own_crop(dataset).count(),
        # A first page that is not full yet grows while pictures come in; further pages stay as they are.
        "shows_all": not after and not page.next_cursor,
    }
