"""What applies to every request of the installation."""

import errno
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from config import views


class FailureMiddleware:
    """Answers for what a view cannot help: 507 when the disk is full, 503 when the database is away.

    What fails in the middleware outside this one comes to `config.views.server_error`, which does the same.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Turn "no space left" and a lost database into their pages; leave everything else alone."""
        if isinstance(exception, OSError) and exception.errno in (errno.ENOSPC, errno.EDQUOT):
            return views.disk_full(request, exception)
        if views.is_database_away(exception):
            return views.database_away(request, exception)
        return None
