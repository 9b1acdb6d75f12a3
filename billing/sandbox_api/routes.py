"""Which request does what: the studio's share of Stripe's API."""

import re
from collections.abc import Callable
from typing import Any

from billing.sandbox_api import catalogue, checkouts, money, store, subscriptions
from billing.sandbox_api.requests import RequestError
from billing.sandbox_api.store import Object

# Gets the id in the path, if there is one, and the parameters.
Answer = Callable[[str, Any], Object]


def answer(method: str, path: str, params: Object) -> Object:
    """Return what Stripe answers. Raises RequestError."""
    name, handler = find(method, path)
    return _ROUTES[handler](name, params)


def find(method: str, path: str) -> tuple[str, tuple[str, str]]:
    """Return the id in a path and its route: the method, and the path with {} for the id."""
    for route in _ROUTES:
        pattern = re.escape(route[1]).replace(r"\{\}", "([A-Za-z0-9_]+)")
        if route[0] == method and (found := re.fullmatch(pattern, path)):
            return (found.group(1) if found.groups() else ""), route
    raise RequestError(f"Unrecognized request URL ({method}: {path}).", status=404)


def _list(kind: str, *names: str) -> Answer:
    return lambda _name, params: store.page(kind, params, *names)


def _get(kind: str) -> Answer:
    return lambda name, _params: store.shown(store.get(kind, name))


def _subscriptions(_name: str, params: Object) -> Object:
    chosen = {key: value for key, value in params.items() if key != "status"}
    found = store.page("subscription", chosen, "customer")
    if params.get("status") == "all":
        return found
    return {**found, "data": [row for row in found["data"] if row["status"] != "canceled"]}


def _subscription(name: str, params: Object) -> Object:
    found = store.get("subscription", name).data
    return subscriptions.with_schedule(found) if "schedule" in params.get("expand", []) else found


def _invoice(name: str, params: Object) -> Object:
    found = store.get("invoice", name).data
    return money.with_payments(found) if "payments" in params.get("expand", []) else found


def _sessions(_name: str, params: Object) -> Object:
    found = store.page("checkout.session", params, "payment_intent", "customer", "status")
    return {**found, "data": [checkouts.retrieved(session, []) for session in found["data"]]}


def _session(name: str, params: Object) -> Object:
    return checkouts.retrieved(store.get("checkout.session", name).data, params.get("expand", []))


def _payment(name: str, params: Object) -> Object:
    if "latest_charge" in params.get("expand", []):
        return checkouts.payment_with_charge(name)
    return store.shown(store.get("payment_intent", name))


def _invoice_payments(_name: str, params: Object) -> Object:
    return store.page("invoice_payment", params, "payment", "invoice")


_ROUTES: dict[tuple[str, str], Answer] = {
    ("POST", "/v1/customers"): lambda _name, params: catalogue.create_customer(params),
    ("GET", "/v1/customers/{}"): _get("customer"),
    ("POST", "/v1/products"): lambda _name, params: catalogue.create_product(params),
    ("POST", "/v1/products/{}"): lambda name, params: catalogue.update("product", name, params),
    ("POST", "/v1/prices"): lambda _name, params: catalogue.create_price(params),
    ("POST", "/v1/prices/{}"): lambda name, params: catalogue.update("price", name, params),
    ("POST", "/v1/coupons"): lambda _name, params: catalogue.create_coupon(params),
    ("POST", "/v1/promotion_codes"): lambda _name, params: catalogue.create_promotion(params),
    ("POST", "/v1/promotion_codes/{}"): lambda name, params: catalogue.update("promotion_code", name, params),
    ("POST", "/v1/billing_portal/configurations"): lambda _name, params: catalogue.create_configuration(
        params
    ),
    ("POST", "/v1/billing_portal/sessions"): lambda _name, params: catalogue.create_portal(params),
    ("POST", "/v1/checkout/sessions"): lambda _name, params: checkouts.create(params),
    ("GET", "/v1/checkout/sessions"): _sessions,
    ("GET", "/v1/checkout/sessions/{}"): _session,
    ("POST", "/v1/checkout/sessions/{}/expire"): lambda name, _params: checkouts.expire(name),
    ("GET", "/v1/subscriptions"): _subscriptions,
    ("GET", "/v1/subscriptions/{}"): _subscription,
    ("POST", "/v1/subscriptions/{}"): subscriptions.update,
    ("DELETE", "/v1/subscriptions/{}"): lambda name, _params: subscriptions.cancel(name),
    ("POST", "/v1/subscription_schedules/{}/release"): (
        lambda name, _params: subscriptions.release_schedule(name)
    ),
    ("GET", "/v1/invoices"): _list("invoice", "customer", "status"),
    ("GET", "/v1/invoices/{}"): _invoice,
    ("GET", "/v1/invoice_payments"): _invoice_payments,
    ("GET", "/v1/payment_intents/{}"): _payment,
    ("GET", "/v1/charges/{}"): _get("charge"),
    ("POST", "/v1/refunds"): lambda _name, params: money.create_refund(params),
    ("GET", "/v1/refunds"): _list("refund", "payment_intent"),
    ("GET", "/v1/refunds/{}"): _get("refund"),
    ("GET", "/v1/disputes"): _list("dispute", "payment_intent"),
    ("GET", "/v1/disputes/{}"): _get("dispute"),
    ("GET", "/v1/radar/early_fraud_warnings/{}"): _get("radar.early_fraud_warning"),
    ("GET", "/v1/events"): _list("event"),
}
