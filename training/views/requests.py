"""What a signed-in request carries."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from accounts.models import User


class StudioRequest(HttpRequest):
    """A request behind `login_required`, as the middleware leaves it."""

    user: User
    htmx: HtmxDetails
