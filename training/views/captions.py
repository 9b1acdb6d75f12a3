"""Pages on which captions are written, changed by rules, and brought in from files."""

from http import HTTPStatus
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest, TooManyFilesSent
from django.core.files import File
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe

from accounts.receiving import UploadTooLarge, receive_files
from training.caption_files import (
    MAX_METADATA_BYTES,
    Problem,
    Reading,
    is_caption_file,
    most_bytes,
    read_captions,
)
from training.caption_forms import CaptionForm, ChangeForm, WordsForm
from training.captions import trained_caption
from training.exceptions import CaptionRefused, PicturesMissing
from training.models import Dataset, DatasetImage, Purpose
from training.selectors.captions import caption_page, count_missing
from training.services import captions as services
from training.views.access import own_dataset
from training.views.requests import StudioRequest

# Layout, what it is called, and the ending of the captions alone.
LAYOUTS = (
    ("txt", gettext_lazy("Text files"), "ZIP"),
    ("jsonl", "metadata.jsonl", "JSONL"),
    ("csv", "metadata.csv", "CSV"),
)
EXAMPLES = 8
PROBLEMS_SHOWN = 200
_REFUSED = HTTPStatus.UNPROCESSABLE_ENTITY


@require_safe
@login_required
def show_captions(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Show a dataset's captions; with `?show=empty` those that are missing, with `?after=` what follows.

    With `?was=`, the purpose before, it offers to have captions follow the one of now.
    """
    dataset = own_dataset(request, pk)
    if request.htmx and "after" in request.GET:
        return render(request, "training/dataset_captions.html#pages", _table(request, dataset))
    return _show_captions(request, dataset)


@require_POST
@login_required
def save_caption(request: StudioRequest, pk: UUID, image_pk: UUID) -> HttpResponse:
    """Keep one caption. The page's script gets its row again, with what was kept or why it was not."""
    dataset = own_dataset(request, pk)
    image = get_object_or_404(DatasetImage, pk=image_pk, dataset=dataset)
    image.dataset = dataset
    form = CaptionForm(request.POST)
    problem = ""
    try:
        if form.is_valid():
            services.save_caption(image=image, caption=form.cleaned_data["caption"])
        else:
            problem = str(form.errors["caption"][0])
    except CaptionRefused as error:
        problem = str(error)
    if problem:
        image.caption = request.POST.get("caption", "")
    row = {"picture": image, "problem": problem, "is_saved": not problem}
    status = _REFUSED if problem else HTTPStatus.OK
    if request.htmx:
        context = {"dataset": dataset, **row, "is_live": True, "missing": count_missing(dataset)}
        context["shortest"] = trained_caption(dataset, "")
        return render(request, "training/dataset_captions.html#saved", context, status=status)
    if problem:
        return render(request, "training/dataset_caption.html", {"dataset": dataset, **row}, status=status)
    return redirect(f"{reverse('training:dataset_captions', args=[pk])}#picture-{image_pk}")


@require_POST
@login_required
def save_words(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Keep the keyword and the class, and bring all captions after them."""
    dataset = own_dataset(request, pk)
    form = WordsForm(request.POST, instance=own_dataset(request, pk))
    if not form.is_valid():
        return _show_captions(request, dataset, words=form)
    try:
        count = services.set_words(dataset=dataset, **form.cleaned_data)
    except CaptionRefused as error:
        form.add_error("keyword", str(error))
        return _show_captions(request, dataset, words=form)
    messages.success(request, _changed_sentence(count) if count else _("The words are saved."))
    return redirect("training:dataset_captions", pk)


@require_POST
@login_required
def change_captions(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Show what a change would do; with `confirmed` do it."""
    dataset = own_dataset(request, pk)
    form = ChangeForm(request.POST, dataset=dataset)
    try:
        only = form.ticked
    except ValueError as error:
        raise Http404 from error
    if not form.is_valid():
        return _show_captions(request, dataset, change=form)
    try:
        if "confirmed" in request.POST:
            count = services.change_captions(dataset=dataset, change=form.change, only=only)
            messages.success(request, _changed_sentence(count))
            return redirect("training:dataset_captions", pk)
        changes = services.captions_changed_by(dataset=dataset, change=form.change, only=only)
    except PicturesMissing as error:
        raise Http404 from error
    except CaptionRefused as error:
        form.add_error(None, str(error))
        return _show_captions(request, dataset, change=form)
    context = {"dataset": dataset, "count": len(changes), "examples": changes[:EXAMPLES]}
    context |= {"more": max(0, len(changes) - EXAMPLES), "form": form, "only": only or []}
    return render(request, "training/dataset_captions_change.html", context)


@csrf_exempt  # the form's token is checked in `_import`, once the handler that counts bytes stands
@require_POST
@login_required
def import_captions(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Take captions from files, and say of each row that was not taken why."""
    dataset = own_dataset(request, pk)
    try:
        return _import(request, dataset, receive_files(request, max_bytes=MAX_METADATA_BYTES))
    except UploadTooLarge:
        problem = _("One import takes at most %(limit)d MB. Send the files in several.")
        problem %= {"limit": MAX_METADATA_BYTES >> 20}
        return _show_captions(request, dataset, problem=problem, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    except TooManyFilesSent:
        problem = _("One form takes at most %(limit)d files. Add more of them as a ZIP, with the pictures.")
        problem %= {"limit": settings.DATA_UPLOAD_MAX_NUMBER_FILES}
        return _show_captions(request, dataset, problem=problem, status=HTTPStatus.BAD_REQUEST)


@csrf_protect
def _import(request: StudioRequest, dataset: Dataset, arrived: list[File[bytes]]) -> HttpResponse:
    if not arrived:
        return _show_captions(request, dataset, problem=_("Choose at least one file, then press Import."))
    result = services.import_captions(dataset=dataset, readings=[_read(file) for file in arrived])
    context = {"dataset": dataset, "result": result, "problems": result.problems[:PROBLEMS_SHOWN]}
    context["more"] = max(0, len(result.problems) - PROBLEMS_SHOWN)
    return render(request, "training/dataset_captions_import.html", context)


def _read(file: File[bytes]) -> Reading:
    name = file.name or ""
    if not is_caption_file(name):
        reason = _("This is no file of captions. Choose .txt, .caption, .jsonl or .csv.")
        return Reading(problems=[Problem(name, reason)])
    return read_captions(name, file.read(most_bytes(name) + 1))


def _show_captions(
    request: StudioRequest,
    dataset: Dataset,
    *,
    words: WordsForm | None = None,
    change: ChangeForm | None = None,
    problem: str = "",
    status: HTTPStatus = _REFUSED,
) -> HttpResponse:
    """The whole page; with a form that was refused, or a problem, as `status`."""
    is_refused = bool(words or change or problem)
    was = request.GET.get("was", "")
    context = {
        "words": words or WordsForm(instance=dataset),
        "change": change or ChangeForm(dataset=dataset),
        "problem": problem,
        "missing": count_missing(dataset),
        "is_captioned": dataset.purpose != Purpose.EXPERIMENT,
        "layouts": LAYOUTS,
        "was": was,
        "following": services.count_following(dataset, was) if was in Purpose.values else 0,
        "ticked": request.POST.getlist("pictures"),
        **_table(request, dataset),
    }
    return render(
        request, "training/dataset_captions.html", context, status=status if is_refused else HTTPStatus.OK
    )


def _table(request: StudioRequest, dataset: Dataset) -> dict[str, object]:
    show = "empty" if request.GET.get("show") == "empty" else ""
    try:
        page = caption_page(dataset, request.GET.get("after", ""), only_empty=bool(show))
    except ValueError as error:
        raise BadRequest("a tampered cursor") from error
    return {"dataset": dataset, "page": page, "show": show, "shortest": trained_caption(dataset, "")}


def _changed_sentence(count: int) -> str:
    sentence = ngettext("%(count)s caption was changed.", "%(count)s captions were changed.", count)
    return sentence % {"count": f"{count:,}"}
