"""Checkout sessions, and what somebody does on their page."""

from billing.models import SandboxObject
from billing.sandbox_api import catalogue, money, store, subscriptions
from billing.sandbox_api.pages import page_url
from billing.sandbox_api.requests import RequestError
from billing.sandbox_api.store import Object

_OPEN_SECONDS = 24 * 3600


def create(params: Object) -> Object:
    """Make an open session for one piece of a price."""
    store.get("customer", params["customer"])
    price = catalogue.price(params["line_items"][0]["price"])
    if (price["type"] == "recurring") != (params["mode"] == "subscription"):
        raise RequestError("The mode does not fit the price.")
    is_taxed = params.get("automatic_tax", {}).get("enabled") == "true"
    tax = round(price["unit_amount"] * money.TAX_PERCENT / 100) if is_taxed else 0
    piece = {"price": price, "quantity": 1, "amount_total": price["unit_amount"]}
    session = store.insert(
        "checkout.session",
        "cs",
        {
            "mode": params["mode"],
            "status": "open",
            "payment_status": "unpaid",
            "customer": params["customer"],
            "client_reference_id": params.get("client_reference_id"),
            "metadata": params.get("metadata", {}),
            "amount_subtotal": price["unit_amount"],
            "amount_total": price["unit_amount"] + tax,
            "total_details": {"amount_tax": tax, "amount_discount": 0},
            "currency": price["currency"],
            "line_items": store.listed([piece]),
            "payment_intent": None,
            "subscription": None,
            "invoice": None,
            "success_url": params["success_url"],
            "cancel_url": params["cancel_url"],
            "expires_at": store.now() + _OPEN_SECONDS,
            "url": None,
        },
        secret={"is_taxed": is_taxed, "discount": None},
    )
    return store.shown(store.change(session, url=page_url("sandbox_checkout", session=session.pk)))


def retrieved(session: Object, expand: list[str]) -> Object:
    """Return a session with what `expand` asks for."""
    whole = {**session}
    if "line_items" not in expand:
        whole.pop("line_items")
    if session["payment_intent"] and "payment_intent.latest_charge" in expand:
        whole["payment_intent"] = payment_with_charge(session["payment_intent"])
    return whole


def payment_with_charge(name: str) -> Object:
    """Return a payment with its charge in place of the charge's id."""
    payment = store.get("payment_intent", name).data
    charge = payment["latest_charge"]
    return {**payment, "latest_charge": store.get("charge", charge).data if charge else None}


def expire(name: str) -> Object:
    """Close an open session."""
    session = store.get("checkout.session", name)
    if session.data["status"] != "open":
        raise RequestError("Only Checkout Sessions with a status in [open] can be expired.")
    store.change(session, status="expired", url=None)
    store.emit("checkout.session.expired", session.data)
    return store.shown(session)


def expire_old() -> None:
    """Close what was left open for a day."""
    for session in store.find("checkout.session", status="open"):
        if session.data["expires_at"] <= store.now():
            expire(session.pk)


def apply_code(name: str, code: str) -> bool:
    """Use a coupon's code on an open session; return whether there is such a code."""
    session, coupon = store.get("checkout.session", name), catalogue.redeemable(code)
    if coupon is None or session.data["status"] != "open" or session.secret["discount"]:
        return False
    percent = coupon.data["percent_off"]
    off = round(session.data["amount_subtotal"] * percent / 100)
    net = session.data["amount_subtotal"] - off
    tax = round(net * money.TAX_PERCENT / 100) if session.secret["is_taxed"] else 0
    left = {"once": 1, "repeating": coupon.data["duration_in_months"], "forever": None}
    session.secret["discount"] = {"percent_off": percent, "left": left[coupon.data["duration"]]}
    details = {"amount_tax": tax, "amount_discount": off}
    store.change(session, amount_total=net + tax, total_details=details)
    store.change(coupon, times_redeemed=coupon.data["times_redeemed"] + 1)
    return True


def pay(name: str, *, card: str, is_authorised: bool = False, is_slow: bool = False) -> str:
    """Pay an open session; return succeeded, requires_action, declined or (a slow way of paying) pending."""
    session = store.get("checkout.session", name)
    if session.data["status"] != "open":
        raise RequestError("This checkout session is not open any more.")
    if session.data["mode"] == "subscription":
        return _subscribe(session, card, is_authorised=is_authorised)
    if session.data["amount_total"] == 0:
        _complete(session, "no_payment_required")
        return "succeeded"
    payment = _payment_of(session)
    if is_slow:
        store.change(payment, status="processing")
        _complete(session, "unpaid")
        return "pending"
    outcome = money.try_card(payment, card, is_authorised=is_authorised)
    if outcome == "succeeded":
        _receipt(session, payment)
        _complete(session, "paid")
    return outcome


def arrive(name: str, *, is_paid: bool) -> None:
    """Let the money of a slow payment arrive, or not."""
    session = store.get("checkout.session", name)
    payment = store.get("payment_intent", session.data["payment_intent"])
    if payment.data["status"] != "processing":
        raise RequestError("This payment is not on its way any more.")
    if is_paid:
        money.succeed(payment, "works")
        _receipt(session, payment)
        store.change(session, payment_status="paid")
        store.emit("checkout.session.async_payment_succeeded", session.data)
    else:
        store.change(payment, status="requires_payment_method")
        store.emit("checkout.session.async_payment_failed", session.data)


def _payment_of(session: SandboxObject) -> SandboxObject:
    if session.data["payment_intent"]:
        return store.get("payment_intent", session.data["payment_intent"])
    payment = money.new_payment(
        customer=session.data["customer"],
        cents=session.data["amount_total"],
        currency=session.data["currency"],
        metadata=session.data["metadata"],
    )
    store.change(session, payment_intent=payment.pk)
    return payment


def _receipt(session: SandboxObject, payment: SandboxObject) -> None:
    """Write the invoice of something that is bought once."""
    discount = session.secret["discount"]
    price = session.data["line_items"]["data"][0]["price"]
    invoice = money.new_invoice(
        customer=session.data["customer"],
        lines=[money.line(price, period=(store.now(), store.now()))],
        reason="manual",
        subscription=None,
        metadata=session.data["metadata"],
        percent_off=discount["percent_off"] if discount else 0,
        is_taxed=session.secret["is_taxed"],
    )
    money.invoice_paid(invoice, payment)
    store.change(session, invoice=invoice.pk)


def _subscribe(session: SandboxObject, card: str, *, is_authorised: bool) -> str:
    """Charge the first period, then make the subscription: an unpaid one never comes to be."""
    price = session.data["line_items"]["data"][0]["price"]
    payment = _payment_of(session) if session.data["amount_total"] else None
    if payment is not None:
        outcome = money.try_card(payment, card, is_authorised=is_authorised)
        if outcome != "succeeded":
            return outcome
    subscription = subscriptions.create(
        customer=session.data["customer"],
        price=price,
        metadata=session.data["metadata"],
        discount=session.secret["discount"],
    )
    start = subscriptions.item_of(subscription)["current_period_start"]
    invoice = subscriptions.write_invoice(
        subscription,
        price=price,
        start=start,
        reason="subscription_create",
        is_taxed=session.secret["is_taxed"],
    )
    money.invoice_paid(invoice, payment)
    # A session of a subscription names no payment: its invoice does.
    store.change(session, subscription=subscription.pk, invoice=invoice.pk, payment_intent=None)
    _complete(session, "paid")
    return "succeeded"


def _complete(session: SandboxObject, payment_status: str) -> None:
    store.change(session, status="complete", payment_status=payment_status, url=None)
    store.emit("checkout.session.completed", session.data)
