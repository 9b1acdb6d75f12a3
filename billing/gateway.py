"""Everything that is asked of Stripe, and nothing that is decided here.

Objects leave this module as plain dicts. No call is made inside a database transaction: a slow network would
hold locks. What makes something carries an idempotency key, so that asking again after a crash or a timeout
makes nothing twice.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import Any, TypeVar

import stripe
from django.conf import settings
from django.utils.module_loading import import_string

from billing.exceptions import BadEvent, CardRefused, NothingSold, PaymentRefused, PaymentsAway

logger = logging.getLogger(__name__)

# The shapes that this module reads and writes are those of this version; webhooks are pinned to it too.
API_VERSION = "2026-10-28.endive"
_TIMEOUT_SECONDS = 10
_RETRIES = 2
_TOLERANCE_SECONDS = 300
# Of an id or an event type; Stripe's are far shorter.
_LONGEST_NAME = 80

# It would write to the home directory.
stripe.enable_telemetry = False
# Two lines for every request say nothing that ours do not.
logging.getLogger("stripe").setLevel(logging.WARNING)

Object = dict[str, Any]
T = TypeVar("T")


@cache
def get_gateway() -> "Gateway":
    """Return the gateway to Stripe, or to the sandbox. Raises NothingSold where no payments are taken."""
    if settings.PAYMENTS == "stripe":
        network = stripe.RequestsClient(timeout=_TIMEOUT_SECONDS)
        return Gateway(settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET, network)
    if settings.PAYMENTS == "sandbox":
        return import_string("billing.sandbox.make_gateway")()  # type: ignore[no-any-return]  # by its name
    raise NothingSold


class Gateway:
    """Stripe, as far as the studio needs it."""

    def __init__(self, secret_key: str, webhook_secret: str, network: stripe.HTTPClient) -> None:
        """Make a gateway that speaks over `network`."""
        client = stripe.StripeClient(
            secret_key, http_client=network, max_network_retries=_RETRIES, stripe_version=API_VERSION
        )
        self._stripe = client.v1
        self._webhook_secret = webhook_secret
        self._is_live = secret_key.startswith(("sk_live_", "rk_live_"))

    # Webhooks

    def read_event(self, payload: bytes, signature: str) -> Object:
        """Return the event in a webhook whose signature holds. Raises BadEvent for anything else.

        A time stamp more than five minutes off, in either direction, is refused: a recorded one cannot be
        sent again later.
        """
        try:
            stripe.WebhookSignature.verify_header(
                payload, signature, self._webhook_secret, tolerance=_TOLERANCE_SECONDS
            )
            return self._checked(json.loads(payload), signature)
        except (stripe.SignatureVerificationError, ArithmeticError, AttributeError) as error:
            raise BadEvent(type(error).__name__) from error
        except (KeyError, OSError, RecursionError, TypeError, ValueError) as error:
            raise BadEvent(type(error).__name__) from error

    def _checked(self, event: Any, signature: str) -> Object:
        """Return an event that has all that is needed of it. Raises whatever nonsense leads to."""
        # What the database could not keep: NUL, half of a character, a number that is none.
        text = json.dumps(event, ensure_ascii=False, allow_nan=False)
        text.encode()
        sent_at = int(dict(part.split("=", 1) for part in signature.split(","))["t"])
        needed = [event["id"], event["type"], event["data"]["object"]["id"]]
        datetime.fromtimestamp(event["created"], tz=UTC)
        if not (
            event["object"] == "event"
            and bool(event["livemode"]) == self._is_live
            and sent_at <= time.time() + _TOLERANCE_SECONDS
            and all(isinstance(text, str) and 0 < len(text) <= _LONGEST_NAME for text in needed)
            and "\\u0000" not in text
        ):
            raise ValueError("No event, incomplete, of the other mode, or from the future.")
        return dict(event)

    def events_since(self, moment: datetime) -> Iterator[Object]:
        """Yield the events since a moment, the newest first. Stripe keeps them for thirty days."""
        params: Any = {"created": {"gte": int(moment.timestamp())}, "limit": 100}
        return self._all(self._ask(lambda: self._stripe.events.list(params)))

    # Customers, buying

    def create_customer(self, *, email: str, account: int, user: str, key: str) -> Object:
        """Make a customer; `key` makes the same one again for the same account."""
        about = {"account": str(account), "user": user}
        return self._make(key, self._stripe.customers.create, {"email": email, "metadata": about})

    def customer(self, customer_id: str) -> Object:
        """Return a customer; one that was deleted has `deleted`."""
        return self._get(lambda: self._stripe.customers.retrieve(customer_id))

    def create_checkout(
        self,
        *,
        customer: str,
        price: str,
        is_subscription: bool,
        metadata: dict[str, str],
        success_url: str,
        cancel_url: str,
        key: str,
    ) -> Object:
        """Make a checkout session on Stripe's own page for one piece of an offer."""
        params: Any = {
            "ui_mode": "hosted_page",
            "mode": "subscription" if is_subscription else "payment",
            "customer": customer,
            "client_reference_id": metadata["account"],
            "line_items": [{"price": price, "quantity": 1}],
            "allow_promotion_codes": True,
            "metadata": metadata,
            "success_url": success_url,
            "cancel_url": cancel_url,
        }
        if is_subscription:
            params["subscription_data"] = {"metadata": metadata}
        else:
            params["invoice_creation"] = {"enabled": True}
            params["payment_intent_data"] = {"metadata": metadata}
        if settings.STRIPE_TAX:
            params["automatic_tax"] = {"enabled": True}
            params["customer_update"] = {"address": "auto", "name": "auto"}
            params["billing_address_collection"] = "required"
            params["tax_id_collection"] = {"enabled": True}
        return self._make(key, self._stripe.checkout.sessions.create, params)

    def checkout(self, session_id: str) -> Object:
        """Return a checkout session with what was bought and the payment behind it."""
        wanted = ["line_items", "payment_intent.latest_charge"]
        return self._get(lambda: self._stripe.checkout.sessions.retrieve(session_id, {"expand": wanted}))

    def expire_checkout(self, session_id: str) -> None:
        """Close an open session. Raises PaymentRefused when it is not open any more."""
        self._ask(lambda: self._stripe.checkout.sessions.expire(session_id))

    def create_portal(self, *, customer: str, configuration: str | None, return_url: str) -> Object:
        """Open Stripe's page on which a customer manages card, plan and invoices."""
        params: Any = {"customer": customer, "return_url": return_url}
        if configuration:
            params["configuration"] = configuration
        return self._get(lambda: self._stripe.billing_portal.sessions.create(params))

    # Subscriptions

    def subscription(self, subscription_id: str) -> Object:
        """Return a subscription with what is scheduled for it."""
        wanted: Any = {"expand": ["schedule"]}
        return self._get(lambda: self._stripe.subscriptions.retrieve(subscription_id, wanted))

    def upgrade(self, subscription_id: str, *, item: str, price: str, key: str) -> Object:
        """Change to a dearer price now: a whole new period is paid in full, or nothing changes."""
        params: Any = {
            "items": [{"id": item, "price": price}],
            "billing_cycle_anchor": {"type": "now"},
            "proration_behavior": "none",
            "payment_behavior": "pending_if_incomplete",
        }
        return self._make(key, lambda p, o: self._stripe.subscriptions.update(subscription_id, p, o), params)

    def subscriptions_of(self, customer_id: str) -> list[Object]:
        """Return a customer's subscriptions that have not ended."""
        subscriptions = self._stripe.subscriptions
        return list(self._all(self._ask(lambda: subscriptions.list({"customer": customer_id, "limit": 100}))))

    def cancel_subscription(self, subscription_id: str) -> None:
        """End a subscription now; nothing is billed for it again. Raises PaymentRefused for an ended one."""
        self._ask(lambda: self._stripe.subscriptions.cancel(subscription_id))

    def release_schedule(self, schedule_id: str) -> None:
        """Forget a change that was planned for the end of the period."""
        self._ask(lambda: self._stripe.subscription_schedules.release(schedule_id))

    # Money

    def invoice(self, invoice_id: str) -> Object:
        """Return an invoice with the payments made for it."""
        return self._get(lambda: self._stripe.invoices.retrieve(invoice_id, {"expand": ["payments"]}))

    def payment(self, payment_id: str) -> Object:
        """Return a payment intent with its last charge."""
        wanted: Any = {"expand": ["latest_charge"]}
        return self._get(lambda: self._stripe.payment_intents.retrieve(payment_id, wanted))

    def charge(self, charge_id: str) -> Object:
        """Return a charge."""
        return self._get(lambda: self._stripe.charges.retrieve(charge_id))

    def refund(self, refund_id: str) -> Object:
        """Return a refund."""
        return self._get(lambda: self._stripe.refunds.retrieve(refund_id))

    def dispute(self, dispute_id: str) -> Object:
        """Return a dispute."""
        return self._get(lambda: self._stripe.disputes.retrieve(dispute_id))

    def fraud_warning(self, warning_id: str) -> Object:
        """Return an early fraud warning."""
        return self._get(lambda: self._stripe.radar.early_fraud_warnings.retrieve(warning_id))

    def refunds_of(self, payment_id: str) -> list[Object]:
        """Return every refund of a payment."""
        refunds = self._stripe.refunds
        return list(self._all(self._ask(lambda: refunds.list({"payment_intent": payment_id, "limit": 100}))))

    def disputes_of(self, payment_id: str) -> list[Object]:
        """Return every dispute of a payment."""
        disputes = self._stripe.disputes
        asked = self._ask(lambda: disputes.list({"payment_intent": payment_id, "limit": 100}))
        return list(self._all(asked))

    def sale_of(self, payment_id: str) -> tuple[str, str] | None:
        """Return what a payment was for: ("session", id) or ("invoice", id); None when neither is known."""
        sessions = self._stripe.checkout.sessions
        found = self._ask(lambda: sessions.list({"payment_intent": payment_id, "limit": 1}))
        for session in self._all(found):
            return "session", session["id"]
        params: Any = {"payment": {"type": "payment_intent", "payment_intent": payment_id}, "limit": 1}
        for paid in self._all(self._ask(lambda: self._stripe.invoice_payments.list(params))):
            return "invoice", paid["invoice"]
        return None

    def create_refund(self, *, payment: str, cents: int, request: str) -> Object:
        """Give money back; the same request is refunded once."""
        params = {"payment_intent": payment, "amount": cents, "metadata": {"request": request}}
        return self._make(f"refund:{request}", self._stripe.refunds.create, params)

    # Lists, for what was missed

    def subscriptions(self) -> Iterator[Object]:
        """Yield every subscription, ended ones too."""
        params: Any = {"status": "all", "limit": 100}
        return self._all(self._ask(lambda: self._stripe.subscriptions.list(params)))

    def invoices_since(self, moment: datetime) -> Iterator[Object]:
        """Yield the invoices made since a moment."""
        params: Any = {"created": {"gte": int(moment.timestamp())}, "limit": 100}
        return self._all(self._ask(lambda: self._stripe.invoices.list(params)))

    def checkouts_since(self, moment: datetime) -> Iterator[Object]:
        """Yield the checkout sessions made since a moment."""
        params: Any = {"created": {"gte": int(moment.timestamp())}, "limit": 100}
        return self._all(self._ask(lambda: self._stripe.checkout.sessions.list(params)))

    def refunds_since(self, moment: datetime) -> Iterator[Object]:
        """Yield the refunds made since a moment."""
        params: Any = {"created": {"gte": int(moment.timestamp())}, "limit": 100}
        return self._all(self._ask(lambda: self._stripe.refunds.list(params)))

    def disputes_since(self, moment: datetime) -> Iterator[Object]:
        """Yield the disputes opened since a moment."""
        params: Any = {"created": {"gte": int(moment.timestamp())}, "limit": 100}
        return self._all(self._ask(lambda: self._stripe.disputes.list(params)))

    # What is for sale

    def create_product(self, *, name: str, key: str) -> Object:
        """Make a product."""
        return self._make(key, self._stripe.products.create, {"name": name})

    def rename_product(self, product_id: str, *, name: str) -> None:
        """Give a product another name."""
        self._ask(lambda: self._stripe.products.update(product_id, {"name": name}))

    def create_price(
        self, *, product: str, cents: int, currency: str, is_monthly: bool, lookup: str, key: str
    ) -> Object:
        """Make a price and point its lookup key here."""
        params: Any = {
            "product": product,
            "unit_amount": cents,
            "currency": currency,
            "lookup_key": lookup,
            "transfer_lookup_key": True,
        }
        if is_monthly:
            params["recurring"] = {"interval": "month"}
        return self._make(key, self._stripe.prices.create, params)

    def retire_price(self, price_id: str) -> None:
        """Have nobody buy at a price any more; subscriptions that are on it stay."""
        self._ask(lambda: self._stripe.prices.update(price_id, {"active": False}))

    def create_coupon(self, params: Object, *, key: str) -> Object:
        """Make a coupon."""
        return self._make(key, self._stripe.coupons.create, params)

    def create_promotion(self, *, coupon: str, code: str, key: str) -> Object:
        """Make the code by which a coupon is used."""
        params = {"promotion": {"type": "coupon", "coupon": coupon}, "code": code}
        return self._make(key, self._stripe.promotion_codes.create, params)

    def switch_promotion(self, promotion_id: str, *, is_active: bool) -> None:
        """Let a code be used, or not."""
        self._ask(lambda: self._stripe.promotion_codes.update(promotion_id, {"active": is_active}))

    def create_portal_configuration(self, features: Object, *, key: str) -> Object:
        """Make what the portal allows to somebody on a certain plan."""
        return self._make(key, self._stripe.billing_portal.configurations.create, {"features": features})

    # How it is asked

    def _make(self, key: str, call: Callable[[Any, Any], Any], params: Object) -> Object:
        return self._get(lambda: call(params, {"idempotency_key": key}))

    def _get(self, call: Callable[[], Any]) -> Object:
        return self._ask(call).to_dict()  # type: ignore[no-any-return]  # of stripe

    def _all(self, found: Any) -> Iterator[Object]:
        pages = found.auto_paging_iter()
        while (item := self._ask(lambda: next(pages, None))) is not None:
            yield item.to_dict()

    @staticmethod
    def _ask(call: Callable[[], T]) -> T:
        """Make a call. Raises PaymentsAway when asking again may help, PaymentRefused when it will not."""
        try:
            return call()
        except stripe.CardError as error:
            raise CardRefused(code=error.code or "", detail=str(error)) from error
        except (stripe.APIConnectionError, stripe.RateLimitError) as error:
            logger.warning("Stripe does not answer: %s", error)
            raise PaymentsAway from error
        except stripe.APIError as error:
            logger.warning("Stripe failed: %s", error)
            raise PaymentsAway from error
        except stripe.StripeError as error:
            if error.http_status == HTTPStatus.CONFLICT:
                # Another of our processes asks for the same at this moment; what comes of it is seen later.
                logger.warning("Stripe is at it already: %s", error)
                raise PaymentsAway from error
            logger.exception("Stripe refused")
            raise PaymentRefused(code=error.code or "", detail=str(error)) from error
