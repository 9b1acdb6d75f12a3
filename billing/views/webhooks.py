"""Where Stripe tells what has happened."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing import inbox
from billing.exceptions import BadEvent
from billing.views.requests import where_payments_are_taken

# Far more than any event has.
_LARGEST = 1 << 20


@csrf_exempt
@require_POST
def receive_webhook(request: HttpRequest) -> HttpResponse:
    """Verify and store an event, then answer: 200 for it and for one seen before, 400 for anything else.

    With the database away it is 500, and Stripe sends it again.
    """
    return _receive(request)  # type: ignore[arg-type]  # a plain request


@where_payments_are_taken
def _receive(request: HttpRequest) -> HttpResponse:
    if int(request.META.get("CONTENT_LENGTH") or 0) > _LARGEST:
        return HttpResponse(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    try:
        inbox.receive_event(request.body, request.headers.get("Stripe-Signature", ""))
    except BadEvent:
        return HttpResponse("Not an event.\n", status=HTTPStatus.BAD_REQUEST, content_type="text/plain")
    return HttpResponse("Stored.\n", content_type="text/plain")
