"""What tests of pages share."""

from urllib.parse import urlsplit

from django.test import Client
from django.urls import reverse

LOGIN = reverse("account_login")


def asks_to_sign_in(response: object) -> bool:
    """Whether the answer is the way to the sign-in page."""
    return response.status_code == 302 and urlsplit(response["Location"]).path == LOGIN


def wrong_methods_are_refused(client: Client, url: str, allowed: set[str]) -> bool:
    """Whether every method but the allowed ones gets 405."""
    others = {"get", "post", "put", "patch", "delete"} - allowed
    return all(getattr(client, method)(url).status_code == 405 for method in others)
