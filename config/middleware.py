"""What applies to every request of the installation."""

import errno
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from config import views


class FullDiskMiddleware:
    """Answers 507 when the disk is full, instead of a plain failure."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Turn "no space left" into its page; leave everything else alone."""
        if isinstance(exception, OSError) and exception.errno in (errno.ENOSPC, errno.EDQUOT):
            return views.disk_full(request, exception)
        return None
