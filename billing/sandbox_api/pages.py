"""Where the pages are on which somebody pays in the sandbox."""

from django.urls import reverse
from django.utils.http import urlencode


def page_url(name: str, **query: str) -> str:
    """Return the address of one of the sandbox's pages, on whichever host somebody uses."""
    return f"{reverse(f'billing:{name}')}?{urlencode(query)}"
