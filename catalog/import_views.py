"""Pages on which models that were made elsewhere are brought."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.files import serve_file
from accounts.middleware import AccountHttpRequest
from accounts.models import User
from accounts.receiving import UploadTooLarge, receive_files
from catalog import services
from catalog.exceptions import ImportRefusedError, NameTakenError
from catalog.import_forms import ImportAnswerForm, bases_for
from catalog.imports import limits
from catalog.imports.found import Found
from catalog.models import CatalogModel, ModelImport, ModelPicture
from catalog.services.imports import waits_until
from engines.manifest import LORA
from jobs.http import answers_unchanged_polls, poll_response
from jobs.progress import read_progress

Stage = ModelImport.Stage
SHOWN = 20


@csrf_exempt  # the form's token is checked in `_receive`, once the handler that counts bytes stands
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def create_import(request: AccountHttpRequest) -> HttpResponse:
    """Show what can be brought and what was; take a file and have it looked at."""
    if request.method != "POST":
        return _show_form(request)
    allowed = limits.current()
    try:
        receive_files(request, max_bytes=allowed.max_bytes)
    except UploadTooLarge:
        problem = _("A file may have at most %(limit)d GB. Bring a smaller one.")
        problem %= {"limit": allowed.max_bytes >> 30}
        return _show_form(request, problem, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return _receive(request)


@csrf_protect
def _receive(request: AccountHttpRequest) -> HttpResponse:
    arrived = request.FILES.getlist("files")
    if len(arrived) != 1:
        problem = _("Choose one file, then press Upload.")
        return _show_form(request, problem, HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        imported = services.start_import(owner=_user(request), arrived=arrived[0])
    except ImportRefusedError as error:
        return _show_form(request, str(error.message), HTTPStatus.CONFLICT)
    return redirect("catalog:import_detail", imported.pk)


def _show_form(request: AccountHttpRequest, problem: str = "", status: int = HTTPStatus.OK) -> HttpResponse:
    imports = ModelImport.objects.owned_by(request.user).select_related("model__owner", "job")[:SHOWN]
    context = {"imports": imports, "problem": problem, "limit": limits.current().max_bytes}
    return render(request, "catalog/import_create.html", context, status=status)


@answers_unchanged_polls(ModelImport)
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def show_import(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Show how far an import is and what was found (`?rev=`: what changed, or 204); take the answer."""
    imported = _own_import(request, pk)
    if request.method == "POST":
        return _answer(request, imported)
    form = ImportAnswerForm(imported=imported) if imported.stage == Stage.FOUND else None
    context = _context(imported, form)
    if request.htmx:
        template = "catalog/import_detail.html#status"
        return poll_response(request, context["progress"], lambda: render(request, template, context))
    return render(request, "catalog/import_detail.html", context)


def _answer(request: AccountHttpRequest, imported: ModelImport) -> HttpResponse:
    if imported.stage != Stage.FOUND:
        return redirect("catalog:import_detail", imported.pk)
    form = ImportAnswerForm(request.POST, imported=imported)
    if form.is_valid():
        try:
            services.answer_import(imported=imported, **form.cleaned_data)
        except NameTakenError as error:
            form.add_error("name", str(error.message))
        except ImportRefusedError as error:
            form.add_error(None, str(error.message))
        else:
            return redirect("catalog:import_detail", imported.pk)
    context = _context(imported, form)
    return render(request, "catalog/import_detail.html", context, status=HTTPStatus.UNPROCESSABLE_ENTITY)


@require_POST
@login_required
def discard_import(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Drop an import, or take an ended one off the list."""
    services.discard_import(imported=_own_import(request, pk))
    messages.success(request, _("Discarded."))
    return redirect("catalog:import_create")


@require_safe
def show_picture(request: HttpRequest, handle: str, name: str, pk: UUID) -> HttpResponseBase:
    """Serve a picture of a model's page to whoever may see the model."""
    visible = CatalogModel.objects.reachable_by(request.user).filter(owner__handle=handle, name=name)
    picture = get_object_or_404(ModelPicture, pk=pk, model__in=visible)
    content_type = "image/webp" if picture.file.endswith(".webp") else "image/png"
    return serve_file(request, picture.file, content_type=content_type, immutable=True)


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # behind login_required
    return request.user


def _own_import(request: AccountHttpRequest, pk: UUID) -> ModelImport:
    imports = ModelImport.objects.owned_by(request.user).select_related("owner", "job", "model__owner")
    found: ModelImport = get_object_or_404(imports, pk=pk)
    return found


def _context(imported: ModelImport, form: ImportAnswerForm | None) -> dict[str, Any]:
    found = Found.from_json(imported.found) if imported.found else None
    lacks_base = bool(found and found.family == LORA and not bases_for(imported.owner, found).exists())
    return {
        "imported": imported,
        "job": imported.job,
        "progress": read_progress(imported.job),
        "found": found,
        "form": form,
        "lacks_base": lacks_base,
        "waits_until": waits_until(imported),
        "sheet": imported.model.pictures.first() if imported.model else None,
    }
