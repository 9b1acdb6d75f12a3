"""How a page asks whether a job has changed."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from jobs.progress import Progress


def unchanged(request: HttpRequest, progress: Progress) -> HttpResponse | None:
    """Return 204 No Content when the page (`?rev=N`) shows the newest revision already, else None."""
    if request.GET.get("rev") == str(progress.rev):
        return HttpResponse(status=204)
    return None


def poll_response(
    request: HttpRequest, progress: Progress, render: Callable[[], HttpResponse]
) -> HttpResponse:
    """Answer a poll: 204 when nothing has changed, else what `render` returns. Never cached."""
    response = unchanged(request, progress) or render()
    response["Cache-Control"] = "private, no-store"
    return response
