"""The public page that tells of a file where it comes from, and the studio's public key."""

from http import HTTPStatus

from allauth.core.ratelimit import consume, respond_429
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from accounts.receiving import UploadTooLarge, receive_files
from catalog.signing import known_keys
from catalog.verification import CannotBeReadError, Verification, verify_file
from engines.signing import key_name

MAX_BYTES = 64 << 20


@csrf_exempt  # the form's token is checked in `_look`, once the handler that counts bytes stands
@require_http_methods(["GET", "HEAD", "POST"])
def verify(request: HttpRequest) -> HttpResponse:
    """Show the form; look at a file that is sent, and forget it."""
    if request.method != "POST":
        return _show(request)
    if not consume(request, action="verify"):
        limited: HttpResponse = respond_429(request)
        return limited
    try:
        receive_files(request, max_bytes=MAX_BYTES)
    except UploadTooLarge:
        problem = _("A file may have at most %(limit)d MB here. Choose a smaller one.")
        problem %= {"limit": MAX_BYTES >> 20}
        return _show(request, problem=problem, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return _look(request)


@csrf_protect
def _look(request: HttpRequest) -> HttpResponse:
    arrived = request.FILES.getlist("files")
    if len(arrived) != 1:
        problem = _("Choose one file, then press Look at it.")
        return _show(request, problem=problem, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        found = verify_file(arrived[0], request.user)
    except CannotBeReadError as error:
        return _show(request, problem=str(error.message), status=HTTPStatus.UNPROCESSABLE_ENTITY)
    return _show(request, found=found, filename=arrived[0].name or "")


def _show(
    request: HttpRequest,
    *,
    found: Verification | None = None,
    filename: str = "",
    problem: str = "",
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    context = {"found": found, "filename": filename, "problem": problem, "limit": MAX_BYTES}
    return render(request, "catalog/verify_detail.html", context, status=status)


@require_safe
def show_keys(_request: HttpRequest) -> HttpResponse:
    """Give the public keys as text: a line each, its name and the key in base64."""
    lines = [f"{key_name(key)} ed25519 {key}\n" for key in known_keys()]
    return HttpResponse("".join(lines), content_type="text/plain; charset=utf-8")
