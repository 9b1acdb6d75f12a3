"""How a page asks whether a job has changed, and how it is answered when it has not: quickly."""

from collections.abc import Callable, Sequence
from functools import cache, wraps
from http import HTTPStatus
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, models
from django.http import HttpRequest, HttpResponse

from accounts.models import User
from accounts.sessions import is_session_of
from jobs.models import Job
from jobs.progress import Progress, current_revision

_Rest = ParamSpec("_Rest")
_Request = TypeVar("_Request", bound=HttpRequest)
_View = Callable[Concatenate[_Request, _Rest], HttpResponse]

# What `current_revision` looks at, in the order of the model's fields; anything else would be another query.
_JOB_COLUMNS = ("id", "owner_id", "queue", "state", "attempt", "is_held_back", "turn", "rev", "queued_at")
_QUERY = """
    SELECT session.session_data, owner.id, owner.password, owner.is_active, {columns}
    FROM {work} work
    JOIN jobs_job job ON job.id = work.job_id
    JOIN accounts_user owner ON owner.id = work.owner_id
    JOIN django_session session ON session.session_key = %s AND session.expire_date > now()
    WHERE work.id = %s
"""


def unchanged(request: HttpRequest, progress: Progress) -> HttpResponse | None:
    """Return 204 No Content when the page (`?rev=N`) shows the newest revision already, else None."""
    if request.GET.get("rev") == str(progress.rev):
        return _no_content()
    return None


def poll_response(
    request: HttpRequest, progress: Progress, render: Callable[[], HttpResponse]
) -> HttpResponse:
    """Answer a poll: 204 when nothing has changed, else what `render` returns. Never cached."""
    return _never_cached(unchanged(request, progress) or render())


def answers_unchanged_polls(
    work: type[models.Model],
) -> Callable[[_View[_Request, ...]], _View[_Request, ...]]:
    """Let a view of one piece of work answer the polls for which nothing has changed with a single query.

    `work` has an owner and a job. Most polls end here, with 204: session, owner and revision are read
    together, where the view takes a query for each and builds objects for all that the page may show.
    Whatever is not in order (no session, a stranger, another revision) is left to the view. Goes outermost,
    above `login_required`.
    """

    def decorate(view: _View[_Request, ...]) -> _View[_Request, ...]:
        @wraps(view)
        def answer(request: _Request, pk: UUID, *rest: Any, **named: Any) -> HttpResponse:
            rev = request.GET.get("rev")
            if rev is not None and request.method == "GET" and rev == str(_own_revision(request, work, pk)):
                return _never_cached(_no_content())
            return view(request, pk, *rest, **named)

        return answer

    return decorate


def _own_revision(request: HttpRequest, work: type[models.Model], pk: UUID) -> int | None:
    """Return the revision of a work's job if the request's session is its owner's, else None."""
    session_key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    if not session_key:
        return None
    row = _fetch(_query(work), [session_key, pk])
    if row is None:
        return None
    session_data, owner_id, password, is_active, *columns = row
    if not is_session_of(session_data, User(id=owner_id, password=password, is_active=is_active)):
        return None
    return current_revision(Job.from_db(connection.alias, _JOB_COLUMNS, columns))


def _fetch(query: str, parameters: Sequence[Any]) -> tuple[Any, ...] | None:
    """Return a query's row without asking first whether the connection still lives, as Django does otherwise.

    On one that does not, there is no row, and whoever asks next gets a new connection or learns that the
    database is away.
    """
    connection.health_check_done = True  # type: ignore[attr-defined]  # missing in django-stubs
    try:
        with connection.cursor() as cursor:
            cursor.execute(query, parameters)
            row: tuple[Any, ...] | None = cursor.fetchone()
            return row
    except (OperationalError, InterfaceError):
        connection.close()
        return None


@cache
def _query(work: type[models.Model]) -> str:
    columns = ", ".join(f"job.{name}" for name in _JOB_COLUMNS)
    table = connection.ops.quote_name(work._meta.db_table)  # noqa: SLF001 -- Django's documented API
    return _QUERY.format(columns=columns, work=table)


def _no_content() -> HttpResponse:
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


def _never_cached(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "private, no-store"
    return response
