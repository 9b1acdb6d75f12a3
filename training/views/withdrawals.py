"""Pages on which one takes pictures back."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.files import serve_file
from training import services, uses, withdrawn
from training.exceptions import PictureUnknown
from training.models import Dataset
from training.views.access import own_dataset
from training.views.requests import StudioRequest

CONTENT_TYPES = {"png": "image/png", "jpg": "image/jpeg"}
SHOWN = 60
ROWS_PER_PAGE = 50
MAX_QUERY = 200


@require_safe
@login_required
def choose_picture(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Find the picture that is to be withdrawn, by the words of `q` in its name."""
    dataset = own_dataset(request, pk)
    query = request.GET.get("q", "").replace("\0", "").strip()[:MAX_QUERY]
    found = dataset.images.order_by("-created_at", "-id")
    for word in query.split()[:10]:
        found = found.filter(name__icontains=word)
    pictures = list(found[: SHOWN + 1])
    taken_out = withdrawn.taken_out_pictures(dataset)
    context = {
        "dataset": dataset,
        "query": query,
        "pictures": pictures[:SHOWN],
        "has_more": len(pictures) > SHOWN,
        "taken_out": taken_out[:SHOWN],
        "more_taken_out": max(0, len(taken_out) - SHOWN),
    }
    template = "training/dataset_withdraw.html"
    return render(request, f"{template}#found" if request.htmx else template, context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def withdraw_picture(request: StudioRequest, pk: UUID, sha256: str) -> HttpResponse:
    """Show everything that was made with a picture; then take it back from all of it."""
    dataset = own_dataset(request, pk)
    found = _find(dataset, sha256)
    if request.method == "POST":
        services.withdraw_picture(dataset=dataset, sha256=sha256, actor=request.user)
        messages.success(request, _("The picture is withdrawn: it is gone from everything that had it."))
        return redirect("training:dataset_withdraw", pk)
    context = {
        "dataset": dataset,
        "found": found,
        "uses": uses.uses_of_versions(found.versions, request.user),
        "others": sorted({copy.dataset.name for copy in found.copies if copy.dataset_id != pk}),
    }
    return render(request, "training/dataset_withdraw_picture.html", context)


@require_safe
@login_required
def show_frozen(request: StudioRequest, pk: UUID, sha256: str) -> HttpResponseBase:
    """Serve a picture that was taken out of its dataset, as long as a frozen version keeps it."""
    dataset = own_dataset(request, pk)
    file = next((one.file for one in withdrawn.taken_out_pictures(dataset) if one.sha256 == sha256), None)
    if file is None:
        raise Http404
    return serve_file(request, file, content_type=CONTENT_TYPES[file.rpartition(".")[2]], immutable=True)


@require_safe
@login_required
def list_withdrawals(request: StudioRequest) -> HttpResponse:
    """Show all that whoever asks has withdrawn."""
    page = Paginator(withdrawn.withdrawals_of(request.user), ROWS_PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "training/withdrawal_list.html", {"page": page})


def _find(dataset: Dataset, sha256: str) -> uses.FoundPicture:
    try:
        return uses.find_picture(dataset, sha256)
    except PictureUnknown as error:
        raise Http404 from error
