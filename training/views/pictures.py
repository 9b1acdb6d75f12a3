"""Single pictures of a dataset, several that were selected, and those that are nearly alike."""

from collections.abc import Iterable
from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest
from django.core.files.storage import default_storage
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.files import serve_file
from training import files, reports, selectors, services
from training.marks import Mark, advice, marks_of, with_marks
from training.models import Dataset, DatasetImage
from training.selectors.pictures import SHOW_OWN_CROP
from training.views.access import own_dataset
from training.views.datasets import dataset_context
from training.views.requests import StudioRequest

CONTENT_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
SHOWN_TO_REMOVE = 60


@require_safe
@login_required
def show_image(request: StudioRequest, pk: UUID, image_pk: UUID, size: str) -> HttpResponseBase:
    """Serve a picture as it is kept (`full`), its thumbnail (`thumb`) or that in half the size (`small`)."""
    image = get_object_or_404(DatasetImage, pk=image_pk, dataset_id=pk, dataset__owner=request.user)
    key = image.file if size == "full" else image.thumbnail
    if size == "small":
        # Pictures that are older than the smaller copies have none.
        small = files.small_key(key)
        key = small if default_storage.exists(small) else key
    extension = key.rpartition(".")[2]
    return serve_file(request, key, content_type=CONTENT_TYPES[extension], immutable=True)


@require_safe
@login_required
def show_picture(request: StudioRequest, pk: UUID, image_pk: UUID) -> HttpResponse:
    """Show one picture with what is known of it, and what can be done about it."""
    dataset = own_dataset(request, pk)
    picture = get_object_or_404(with_marks(dataset.images.all(), dataset.purpose), pk=image_pk)
    context = {
        "dataset": dataset,
        "picture": picture,
        "remarks": [advice(mark) for mark in marks_of(picture)],
        "figures": _figures(picture),
    }
    return render(request, "training/picture_detail.html", context)


@require_POST
@login_required
def remove_pictures(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Ask, showing which pictures were selected; once `confirmed`, take them out of the dataset."""
    dataset = own_dataset(request, pk)
    selected = _selected(request, dataset)
    if not selected:
        problem = _("Select at least one picture, then press Remove.")
        context = {**dataset_context(request, dataset), "problem": problem}
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return render(request, "training/dataset_detail.html", context, status=status)
    show = request.POST.get("show", "")
    back = reverse("training:dataset_detail", args=[pk])
    if show in Mark or show == SHOW_OWN_CROP:
        back += "?" + urlencode({"show": show})
    if "confirmed" in request.POST:
        count = services.remove_pictures(dataset=dataset, pictures=[picture.pk for picture in selected])
        messages.success(request, _removed(count))
        return redirect(back)
    context = {
        "dataset": dataset,
        "selected": selected,
        "shown": selected[:SHOWN_TO_REMOVE],
        "more": max(0, len(selected) - SHOWN_TO_REMOVE),
        "show": show,
        "back": back,
    }
    return render(request, "training/dataset_remove.html", context)


@require_safe
@login_required
def show_groups(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Show the pictures that are nearly alike, group by group."""
    dataset = own_dataset(request, pk)
    try:
        page = selectors.group_page(dataset, request.GET.get("after", ""))
    except ValueError as error:
        raise BadRequest("a tampered cursor") from error
    context = {"dataset": dataset, "page": page, "figures": reports.report_of(dataset).figures}
    return render(request, "training/dataset_groups.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def thin_groups(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Ask, then keep one picture of every group that is nearly alike."""
    dataset = own_dataset(request, pk)
    if request.method == "POST":
        count = services.keep_one_of_each(dataset=dataset)
        messages.success(request, _removed(count))
        return redirect("training:dataset_detail", pk)
    context = {"dataset": dataset, "figures": reports.report_of(dataset).figures}
    return render(request, "training/dataset_thin.html", context)


@require_POST
@login_required
def settle_group(request: StudioRequest, pk: UUID, group: UUID) -> HttpResponse:
    """Keep one picture of a group (`keep`), or all of it."""
    dataset = own_dataset(request, pk)
    alike = list(dataset.images.filter(likeness_group=group).values_list("pk", flat=True))
    if not alike:
        raise Http404
    if "all" in request.POST:
        services.keep_alike(dataset=dataset, group=group)
        messages.success(request, _("They stay, and count as different pictures from now on."))
    else:
        spare = [picture for picture in alike if str(picture) != request.POST.get("keep")]
        if len(spare) == len(alike):
            raise BadRequest("no picture of the group was chosen to be kept")
        count = services.remove_pictures(dataset=dataset, pictures=spare)
        messages.success(request, _removed(count))
    return redirect("training:dataset_groups", pk)


def _figures(picture: DatasetImage) -> list[tuple[str, str]]:
    """What was measured of a picture, in words; nothing for one that was added before anything was."""
    measured = {_("Blur"): picture.blur, _("Brightness"): picture.brightness, _("Contrast"): picture.contrast}
    return [(title, f"{value:.0%}") for title, value in measured.items() if value is not None]


def _selected(request: StudioRequest, dataset: Dataset) -> list[DatasetImage]:
    """The selected pictures, the newest first: boxes that are ticked, or one field with ids between commas.

    Raises Http404 when one of them is not in the dataset.
    """
    ids = _ids(one for value in request.POST.getlist("pictures") for one in value.split(","))
    found = list(dataset.images.filter(pk__in=ids).order_by("-created_at", "-id"))
    if len(found) != len(ids):
        raise Http404
    return found


def _ids(values: Iterable[str]) -> set[UUID]:
    """Those ids. Raises Http404 for what is none."""
    try:
        return {UUID(value) for value in values}
    except ValueError as error:
        raise Http404 from error


def _removed(count: int) -> str:
    sentence = ngettext("%(count)d picture was removed.", "%(count)d pictures were removed.", count)
    return sentence % {"count": count}
