"""Sending somebody who is not signed in to the sign-in page, from a page or from a fragment."""

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpResponse, QueryDict
from django.shortcuts import resolve_url
from django_htmx.http import HttpResponseClientRedirect


def is_login_redirect(response: HttpResponse) -> bool:
    """Whether a response sends the browser to the sign-in page."""
    login_page = resolve_url(settings.LOGIN_URL)
    return 300 <= response.status_code < 400 and response.get("Location", "").split("?")[0] == login_page


def login_redirect_for_fragment(current_path: str | None) -> HttpResponse:
    """Return the answer to a fragment's request that needs a sign-in: the whole page goes there.

    A plain redirect would be followed by htmx and the sign-in page would land inside the fragment.
    `current_path` is the page to come back to, on this site; none when it is not known.
    """
    query = QueryDict(mutable=True)
    if current_path:
        query[REDIRECT_FIELD_NAME] = current_path
    login_page = resolve_url(settings.LOGIN_URL)
    return HttpResponseClientRedirect(f"{login_page}?{query.urlencode(safe='/')}" if query else login_page)
