"""How often whoever looks may ask for pictures that are not made yet: `ACCOUNT_RATE_LIMITS`."""

from collections.abc import Callable

from allauth.core.internal.ratelimit import consume
from django.http import HttpRequest

from accounts.models import User


def admission(request: HttpRequest) -> Callable[[], bool]:
    """Return what `looks.ask_sheets` asks before it has something made for this request."""
    action = "look" if isinstance(request.user, User) else "look_visitor"

    def admit() -> bool:
        return bool(consume(request, app="allauth.account", action=action, limit_get=True))

    return admit
