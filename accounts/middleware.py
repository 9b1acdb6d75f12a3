"""What applies to every request of somebody who is signed in, or should be."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control
from django_htmx.middleware import HtmxDetails

from accounts.http import is_login_redirect, login_redirect_for_fragment


class AccountHttpRequest(HttpRequest):
    """A request as the middleware above these leaves it."""

    htmx: HtmxDetails


class PrivatePagesMiddleware:
    """Keeps private pages out of every cache, so that Back after signing out shows none.

    A view that says something about caching itself (a file at an immutable address) is left alone.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Mark the answer."""
        response = self.get_response(request)
        if "Cache-Control" not in response and request.user.is_authenticated:
            patch_cache_control(response, private=True, no_store=True)
        return response


class FragmentLoginMiddleware:
    """Turns the redirect to the sign-in page into one that moves the whole page, when a fragment asked."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: AccountHttpRequest) -> HttpResponse:
        """Pass the request on; replace the answer where needed."""
        response = self.get_response(request)
        if request.htmx and is_login_redirect(response):
            return login_redirect_for_fragment(request.htmx.current_url_abs_path)
        return response
