"""Stripe without Stripe: the real client over an HTTP client that answers from our own database.

No port, no keys, no money. Every request is checked against the types that the Stripe package publishes,
idempotency keys are replayed, and what happens is told by signed webhooks. It stands in for Stripe where a
studio has no keys, and in the tests. Requests inside a database transaction are refused, so that none slips
into the real gateway's way either.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import stripe
import stripe.params
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from billing import inbox
from billing.gateway import Gateway
from billing.models import SandboxAnswer, SandboxDelivery, SandboxObject
from billing.sandbox_api import checkouts, clock, routes, store, subscriptions
from billing.sandbox_api.requests import RequestError, check, decode

logger = logging.getLogger(__name__)

WEBHOOK_SECRET = "whsec_sandbox"  # noqa: S105 -- it opens nothing: where it is known there is no money
_KEY = "sk_test_sandbox"

_params: Any = stripe.params
_TYPES: dict[tuple[str, str], Any] = {
    ("POST", "/v1/customers"): _params.CustomerCreateParams,
    ("GET", "/v1/customers/{}"): _params.CustomerRetrieveParams,
    ("POST", "/v1/products"): _params.ProductCreateParams,
    ("POST", "/v1/products/{}"): _params.ProductUpdateParams,
    ("POST", "/v1/prices"): _params.PriceCreateParams,
    ("POST", "/v1/prices/{}"): _params.PriceUpdateParams,
    ("POST", "/v1/coupons"): _params.CouponCreateParams,
    ("POST", "/v1/promotion_codes"): _params.PromotionCodeCreateParams,
    ("POST", "/v1/promotion_codes/{}"): _params.PromotionCodeUpdateParams,
    ("POST", "/v1/billing_portal/configurations"): _params.billing_portal.ConfigurationCreateParams,
    ("POST", "/v1/billing_portal/sessions"): _params.billing_portal.SessionCreateParams,
    ("POST", "/v1/checkout/sessions"): _params.checkout.SessionCreateParams,
    ("GET", "/v1/checkout/sessions"): _params.checkout.SessionListParams,
    ("GET", "/v1/checkout/sessions/{}"): _params.checkout.SessionRetrieveParams,
    ("POST", "/v1/checkout/sessions/{}/expire"): _params.checkout.SessionExpireParams,
    ("GET", "/v1/subscriptions"): _params.SubscriptionListParams,
    ("GET", "/v1/subscriptions/{}"): _params.SubscriptionRetrieveParams,
    ("POST", "/v1/subscriptions/{}"): _params.SubscriptionUpdateParams,
    ("DELETE", "/v1/subscriptions/{}"): _params.SubscriptionCancelParams,
    ("POST", "/v1/subscription_schedules/{}/release"): _params.SubscriptionScheduleReleaseParams,
    ("GET", "/v1/invoices"): _params.InvoiceListParams,
    ("GET", "/v1/invoices/{}"): _params.InvoiceRetrieveParams,
    ("GET", "/v1/invoice_payments"): _params.InvoicePaymentListParams,
    ("GET", "/v1/payment_intents/{}"): _params.PaymentIntentRetrieveParams,
    ("GET", "/v1/charges/{}"): _params.ChargeRetrieveParams,
    ("POST", "/v1/refunds"): _params.RefundCreateParams,
    ("GET", "/v1/refunds"): _params.RefundListParams,
    ("GET", "/v1/refunds/{}"): _params.RefundRetrieveParams,
    ("GET", "/v1/disputes"): _params.DisputeListParams,
    ("GET", "/v1/disputes/{}"): _params.DisputeRetrieveParams,
    ("GET", "/v1/radar/early_fraud_warnings/{}"): _params.radar.EarlyFraudWarningRetrieveParams,
    ("GET", "/v1/events"): _params.EventListParams,
}


def refuse_where_money_is_real() -> None:
    """Raise ImproperlyConfigured unless this studio says that it plays."""
    if settings.PAYMENTS != "sandbox" or settings.IN_PRODUCTION:
        raise ImproperlyConfigured("The sandbox gives credits for made-up money: only with PAYMENTS=sandbox.")


def make_gateway(network: "FakeStripe | None" = None) -> Gateway:
    """Return a gateway to the sandbox."""
    refuse_where_money_is_real()
    return Gateway(_KEY, WEBHOOK_SECRET, network or FakeStripe())


class FakeStripe(stripe.HTTPClient):
    """Answers the Stripe client's requests."""

    name = "sandbox"

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """Answer one request, then deliver what it led to."""
        address = urlsplit(url)
        text = (address.query if method in ("get", "delete") else post_data) or ""
        key = (headers or {}).get("Idempotency-Key", "")
        with transaction.atomic(durable=True):
            store.lock()
            status, body = _replayed(key, method.upper(), address.path, text)
        deliver()
        return body, status, {"Request-Id": "req_sandbox", "Stripe-Should-Retry": "false"}

    def close(self) -> None:
        """Nothing is open."""


def _replayed(key: str, method: str, path: str, text: str) -> tuple[int, str]:
    """Answer a request, or give the answer that its idempotency key got before."""
    request = hashlib.sha256(f"{method} {path} {text}".encode()).hexdigest()
    known = SandboxAnswer.objects.filter(key=key).first() if key else None
    if known is not None and known.request != request:
        message = "Keys for idempotent requests can only be used with the same parameters."
        return 400, refusal(RequestError(message, kind="idempotency_error"))
    if known is not None:
        return known.status, known.body
    try:
        with transaction.atomic():
            body = answer(method, path, text)
    except RequestError as error:
        return error.status, refusal(error)
    if key:
        SandboxAnswer.objects.create(key=key, request=request, status=200, body=body)
    return 200, body


def answer(method: str, path: str, text: str) -> str:
    """Do what a request asks for; return the body of the answer. Raises RequestError where Stripe refuses."""
    _name, route = routes.find(method, path)
    params = decode(text)
    check(params, _TYPES[route])
    return json.dumps(routes.answer(method, path, params))


def refusal(error: RequestError) -> str:
    """Return the body of the answer to a request that is refused."""
    return json.dumps({"error": {"type": error.kind, "code": error.code or None, "message": str(error)}})


def act(what: Callable[[], Any]) -> Any:
    """Do in the sandbox what a person does on Stripe's own pages, and deliver what it led to.

    Raises RequestError where Stripe would not let them.
    """
    refuse_where_money_is_real()
    with transaction.atomic(durable=True):
        store.lock()
        result = what()
    deliver()
    return result


def advance(days: int) -> None:
    """Let so many days pass and what Stripe does in them: renew, end, give up. 0: what is due by now."""

    def pass_days() -> None:
        if days:
            clock.let_days_pass(days)
        checkouts.expire_old()
        subscriptions.turn_over()

    act(pass_days)


def sign(payload: str, *, at: int | None = None, secret: str = WEBHOOK_SECRET) -> str:
    """Return the signature that Stripe would send with a body, now or at another time."""
    signature: str = stripe.WebhookSignature.generate_signature_header(payload, secret, at)
    return signature


def signed(event: SandboxObject) -> tuple[bytes, str]:
    """Return an event's webhook: its body and its signature."""
    payload = json.dumps(event.data)
    return payload.encode(), sign(payload)


def deliver() -> None:
    """Deliver the webhooks that wait; one that is not taken is tried again with the next."""
    for delivery in SandboxDelivery.objects.filter(is_held_back=False).select_related("event").order_by("pk"):
        try:
            inbox.receive_event(*signed(delivery.event))
        except Exception:
            logger.exception("Webhook %s was not taken; it will be sent again", delivery.event_id)
            return
        delivery.delete()
