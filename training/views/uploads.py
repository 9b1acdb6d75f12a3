"""Files on their way into a dataset: they are received, recognised, and their results told."""

from http import HTTPStatus
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest, TooManyFilesSent
from django.core.files import File
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe

from accounts.receiving import UploadTooLarge, receive_files
from training import limits, services
from training.exceptions import DatasetFull
from training.models import Dataset
from training.selectors.uploads import known_files, results_of_files
from training.views.access import own_dataset
from training.views.datasets import dataset_context
from training.views.requests import StudioRequest

# How many files the page's script may ask about at once.
ASKED_AT_ONCE = 200


@csrf_exempt  # the form's token is checked in `_receive`, once the handler that counts bytes stands
@require_POST
@login_required
def add_files(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Take files for a dataset: a form with many, or one at a time from the page's script.

    The script is answered in JSON: the number of the `file`, whose result it asks for later, or the `problem`
    and whether that `is_full`, so that sending more is of no use.
    """
    dataset = own_dataset(request, pk)
    allowed = limits.current()
    try:
        arrived = receive_files(request, max_bytes=allowed.max_upload_bytes)
        return _receive(request, dataset, arrived)
    except UploadTooLarge:
        problem = _("One upload takes at most %(limit)d GB. Send the files in several uploads.")
        problem %= {"limit": allowed.max_upload_bytes >> 30}
        return _refuse_files(request, dataset, problem, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    except TooManyFilesSent:
        problem = _("One form takes at most %(limit)d files. Send them in several forms, or as a ZIP.")
        problem %= {"limit": settings.DATA_UPLOAD_MAX_NUMBER_FILES}
        return _refuse_files(request, dataset, problem, HTTPStatus.BAD_REQUEST)


@require_POST
@login_required
def find_known(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Tell which files, by the SHA-256 of their bytes, need not be sent: their pictures are here."""
    hashes = request.POST.getlist("sha256")
    if len(hashes) > ASKED_AT_ONCE:
        raise BadRequest("too many hashes at once")
    return JsonResponse({"known": known_files(own_dataset(request, pk), hashes)})


@require_safe
@login_required
def show_results(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Tell what became of files, by their numbers; those that still wait are missing."""
    dataset = own_dataset(request, pk)
    numbers = request.GET.getlist("file")
    if len(numbers) > ASKED_AT_ONCE or not all(number.isdecimal() for number in numbers):
        raise BadRequest("too many files at once, or a file without a number")
    return JsonResponse({"results": results_of_files(dataset, map(int, numbers))})


@csrf_protect
def _receive(request: StudioRequest, dataset: Dataset, arrived: list[File[bytes]]) -> HttpResponse:
    if not arrived:
        problem = _("Choose at least one file, then press Upload.")
        return _refuse_files(request, dataset, problem, HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        files = services.add_files(dataset=dataset, arrived=arrived)
    except DatasetFull as error:
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        return _refuse_files(request, dataset, str(error), status, is_full=True)
    if request.htmx:
        return JsonResponse({"file": files[-1].pk}, status=HTTPStatus.CREATED)
    return redirect("training:dataset_detail", dataset.pk)


def _refuse_files(
    request: StudioRequest, dataset: Dataset, problem: str, status: HTTPStatus, *, is_full: bool = False
) -> HttpResponse:
    if request.htmx:
        return JsonResponse({"problem": problem, "is_full": is_full}, status=status)
    context = {**dataset_context(request, dataset), "problem": problem}
    return render(request, "training/dataset_detail.html", context, status=status)
