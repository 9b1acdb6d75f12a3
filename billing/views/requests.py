"""What every page about money needs of its request."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.middleware import AccountHttpRequest
from accounts.models import User

View = Callable[[AccountHttpRequest], HttpResponse]

# A page's address with its form's fields; a longer one is cut down to the page.
_LONGEST_RETURN = 4000


def where_credits_are_used(view: View) -> View:
    """Answer 404 in house mode (CREDITS=off)."""
    return _only_if(view, lambda: bool(settings.CREDITS_ENABLED))


def where_payments_are_taken(view: View) -> View:
    """Answer 404 where nothing can be bought."""
    return _only_if(view, lambda: bool(settings.CREDITS_ENABLED and settings.PAYMENTS != "off"))


def where_payments_are_played(view: View) -> View:
    """Answer 404 but in the sandbox."""
    return _only_if(view, lambda: bool(settings.CREDITS_ENABLED and settings.PAYMENTS == "sandbox"))


def _only_if(view: View, condition: Callable[[], bool]) -> View:
    @wraps(view)
    def guarded(request: AccountHttpRequest) -> HttpResponse:
        if not condition():
            raise Http404
        return view(request)

    return guarded


def user_of(request: AccountHttpRequest) -> User:
    """Return who asks; behind `login_required`."""
    assert isinstance(request.user, User)
    return request.user


def safe_return(address: str) -> str:
    """Return an address within the studio as it is, and nothing for any other."""
    is_ours = address.startswith("/") and url_has_allowed_host_and_scheme(address, allowed_hosts=None)
    return address if is_ours and len(address) <= _LONGEST_RETURN else ""


def lead_to_credits(request: AccountHttpRequest, problem: Exception, *, back: str) -> HttpResponse:
    """Say what is missing where credits are to be had; what is bought there leads back to the page `back`."""
    messages.error(request, str(problem))
    return redirect(f"{reverse('billing:account_detail')}?{urlencode({'return_to': back})}#packs")


def here_and_filled(request: AccountHttpRequest, page: str = "") -> str:
    """Return the address of this page with what was typed into its form, so that one can come back to it.

    `page`: the page that the form is on, where its button leads to an address that cannot be looked at.
    """
    typed: list[tuple[str, Any]] = [
        (name, value)
        for name, values in request.POST.lists()
        if name != "csrfmiddlewaretoken"
        for value in values
        if isinstance(value, str)
    ]
    query = urlencode(typed) or request.META.get("QUERY_STRING", "")
    page = page or request.path
    filled = f"{page}?{query}" if query else page
    return safe_return(filled) or page
