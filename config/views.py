"""The home page, the health checks and the error pages."""

import logging
import secrets
import sys
from http import HTTPStatus

import redis
from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFilesSent
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.http import login_redirect_for_fragment
from accounts.middleware import AccountHttpRequest
from config.home import home_context
from generation.explore.place_views import landing_map

logger = logging.getLogger(__name__)

# The limits that allauth counts for a page are by the minute.
_WAIT_SECONDS = 60
# A database that was restarted is back within seconds.
_DATABASE_SECONDS = 5


@require_safe
def home(request: AccountHttpRequest) -> HttpResponse:
    """The first page: the landing page, or for somebody who is signed in, their studio; it polls itself."""
    user = request.user
    if not user.is_authenticated:
        if request.htmx:  # signed out meanwhile
            return login_redirect_for_fragment(request.htmx.current_url_abs_path)
        return render(request, "home/landing_detail.html", landing_map(request))
    context = home_context(user)
    if not request.htmx:
        return render(request, "home/home_detail.html", context)
    if request.GET.get("rev") == context["rev"]:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return render(request, "home/home_detail.html#live", context | {"is_live": True})


@require_safe
@never_cache
def alive(request: HttpRequest) -> HttpResponse:
    """Say that this process answers; asks nobody else."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@never_cache
def ready(request: HttpRequest) -> HttpResponse:
    """Say whether the database and Redis answer: 200 when both do, else 503."""
    checks = {"database": _database_answers(), "redis": _redis_answers()}
    return JsonResponse(checks, status=200 if all(checks.values()) else 503)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _redis_answers() -> bool:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def error_page(request: HttpRequest, status: int, **context: object) -> HttpResponse:
    """Return `errors/<status>.html`."""
    return render(request, f"errors/{status}.html", context, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400: the request could not be read. A form that is too big gets 413, or how many files it may have."""
    if isinstance(exception, RequestDataTooBig):
        return too_large(request, exception)
    reason = ""
    if isinstance(exception, TooManyFilesSent):
        reason = _(
            "A form takes at most %(count)d files at once. Go back and choose fewer, or put them into a ZIP."
        ) % {"count": settings.DATA_UPLOAD_MAX_NUMBER_FILES}
    return error_page(request, 400, reason=reason)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403: not allowed."""
    return error_page(request, 403, reason="")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form without a valid token, or from another site. `reason` is for programmers."""
    return error_page(
        request,
        403,
        reason=_(
            "The page was open for too long, or you signed in again. Go back, reload the page and try again."
        ),
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: not there, or not yours."""
    return error_page(request, 404)


def too_large(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """413: more bytes than a request may have."""
    return error_page(request, 413)


def too_many_requests(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """429: wait a little; the header says how long."""
    response = error_page(request, 429, retry_after=_WAIT_SECONDS)
    response["Retry-After"] = str(_WAIT_SECONDS)
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """500: a fixed sentence and a reference number, under which the traceback stands in the log."""
    failure = sys.exc_info()[1]
    if failure is not None and is_database_away(failure):
        return database_away(request, failure)
    reference = secrets.token_hex(4)
    logger.error(
        "Request failed, reference %s: %s %s",
        reference,
        request.method,
        request.path,
        exc_info=sys.exc_info(),
        extra={"reference": reference},
    )
    return error_page(request, 500, reference=reference)


def disk_full(request: HttpRequest, exception: Exception) -> HttpResponse:
    """507: no room on the disk; the operator sees it in the log."""
    logger.error("The disk is full: %s", exception)
    return error_page(request, 507)


def is_database_away(failure: BaseException) -> bool:
    """Whether a failure comes from a PostgreSQL that cannot be reached, and not from what was asked of it."""
    if not isinstance(failure, OperationalError | InterfaceError):
        return False
    return connection.connection is None or connection.connection.closed or not connection.is_usable()


def database_away(request: HttpRequest, exception: BaseException) -> HttpResponse:
    """503: PostgreSQL is away. Nothing here may need it: no session, no user, no context processor."""
    logger.error("PostgreSQL does not answer: %s", str(exception).strip())
    is_fragment = "HX-Request" in request.headers
    context = {"posted": [] if is_fragment else _posted(request), "path": request.get_full_path()}
    page = render_to_string("errors/503.html#fragment" if is_fragment else "errors/503.html", context)
    response = HttpResponse(page, status=HTTPStatus.SERVICE_UNAVAILABLE)
    response["Retry-After"] = str(_DATABASE_SECONDS)
    response["Cache-Control"] = "no-store"
    return response


def _posted(request: HttpRequest) -> list[tuple[str, str]]:
    """What a form has sent, to be sent again from another page: browsers drop it. No files, no passwords."""
    if request.method != "POST" or request.FILES or any("password" in name for name in request.POST):
        return []
    return [(name, str(value)) for name, values in request.POST.lists() for value in values]
