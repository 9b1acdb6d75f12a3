"""Subscriptions through their life: made, renewed, upgraded, reduced, canceled."""

from datetime import UTC, datetime, timedelta

from billing.models import SandboxObject
from billing.sandbox_api import catalogue, money, store
from billing.sandbox_api.requests import RequestError
from billing.sandbox_api.store import Object

# A renewal that stays unpaid so long ends its subscription.
_DUNNING = timedelta(days=21)


def month_after(moment: int) -> int:
    """Return the same time a month later; at the end of a shorter month, its last day."""
    start = datetime.fromtimestamp(moment, tz=UTC)
    year, month = (start.year + 1, 1) if start.month == 12 else (start.year, start.month + 1)
    day = start.day
    while True:
        try:
            return int(start.replace(year=year, month=month, day=day).timestamp())
        except ValueError:
            day -= 1


def create(*, customer: str, price: Object, metadata: Object, discount: Object | None) -> SandboxObject:
    """Make a subscription whose first period begins now and is paid."""
    subscription = store.insert(
        "subscription",
        "sub",
        {
            "customer": customer,
            "status": "active",
            "cancel_at": None,
            "cancel_at_period_end": False,
            "canceled_at": None,
            "ended_at": None,
            "schedule": None,
            "pending_update": None,
            "latest_invoice": None,
            "currency": price["currency"],
            "metadata": metadata,
            "items": store.listed([]),
        },
        secret={"discount": discount},
    )
    _set_item(subscription, price, store.now())
    store.emit("customer.subscription.created", subscription.data)
    return subscription


def _set_item(subscription: SandboxObject, price: Object, start: int) -> None:
    item = {
        "id": f"si_{subscription.pk[4:]}",
        "object": "subscription_item",
        "subscription": subscription.pk,
        "price": price,
        "quantity": 1,
        "current_period_start": start,
        "current_period_end": month_after(start),
    }
    store.change(subscription, items=store.listed([item]))


def item_of(subscription: SandboxObject) -> Object:
    """Return the one item of a subscription."""
    item: Object = subscription.data["items"]["data"][0]
    return item


def write_invoice(
    subscription: SandboxObject, *, price: Object, start: int, reason: str, is_taxed: bool = False
) -> SandboxObject:
    """Write the invoice for a period that begins at `start`."""
    discount = subscription.secret.get("discount")
    invoice = money.new_invoice(
        customer=subscription.data["customer"],
        lines=[
            money.line(
                price,
                period=(start, month_after(start)),
                item=item_of(subscription)["id"],
                subscription=subscription.pk,
            )
        ],
        reason=reason,
        subscription=subscription.pk,
        metadata=subscription.data["metadata"],
        percent_off=discount["percent_off"] if discount else 0,
        is_taxed=is_taxed,
    )
    if discount and discount["left"] is not None:
        discount["left"] -= 1
        subscription.secret["discount"] = discount if discount["left"] > 0 else None
    store.change(subscription, latest_invoice=invoice.pk)
    return invoice


def pay_invoice(invoice: SandboxObject, *, card: str, is_authorised: bool = False) -> str:
    """Try to pay an invoice; return succeeded, requires_action or declined, and tell what came of it."""
    if invoice.data["total"] == 0:
        money.invoice_paid(invoice, None)
        _after_payment(invoice)
        return "succeeded"
    about = {"customer": invoice.data["customer"], "metadata": invoice.data["metadata"]}
    payment = money.new_payment(cents=invoice.data["total"], currency=invoice.data["currency"], **about)
    outcome = money.try_card(payment, card, is_authorised=is_authorised)
    if outcome == "succeeded":
        money.invoice_paid(invoice, payment)
        _after_payment(invoice)
        return outcome
    count = invoice.data["attempt_count"] + 1
    store.change(invoice, attempted=True, attempt_count=count)
    store.emit("invoice.payment_failed", invoice.data)
    if outcome == "requires_action":
        store.emit("invoice.payment_action_required", invoice.data)
    return outcome


def _after_payment(invoice: SandboxObject) -> None:
    """Bring a subscription on that waited for its invoice."""
    name = (invoice.data["parent"] or {}).get("subscription_details", {}).get("subscription")
    if not name:
        return
    subscription = store.get("subscription", name)
    update = subscription.data["pending_update"]
    if update and subscription.secret.get("pending_invoice") == invoice.pk:
        store.change(subscription, pending_update=None)
        _set_item(subscription, update["subscription_items"][0]["price"], store.now())
        store.emit("customer.subscription.pending_update_applied", subscription.data)
    if subscription.data["status"] == "past_due" and subscription.data["latest_invoice"] == invoice.pk:
        store.change(subscription, status="active")
    store.emit("customer.subscription.updated", subscription.data)


def update(name: str, params: Object) -> Object:
    """Change to another price now, as the studio's upgrade does: paid in full, or nothing changes."""
    subscription = store.get("subscription", name)
    if subscription.data["status"] not in ("active", "trialing", "past_due"):
        raise RequestError("A canceled subscription can only update its cancellation_details and metadata.")
    if "items" not in params or params.get("billing_cycle_anchor") != {"type": "now"}:
        raise RequestError("The sandbox knows of updates only the upgrade.")
    if subscription.data["schedule"]:
        raise RequestError("The subscription is managed by a subscription schedule.")
    price = catalogue.price(params["items"][0]["price"])
    card = store.get("customer", subscription.data["customer"]).secret["card"]
    start = store.now()
    _drop_pending(subscription)
    invoice = write_invoice(subscription, price=price, start=start, reason="subscription_update")
    pending = {"expires_at": start + 23 * 3600, "subscription_items": [{"price": price}]}
    subscription.secret["pending_invoice"] = invoice.pk
    store.change(subscription, pending_update=pending)
    pay_invoice(invoice, card=card)
    subscription.refresh_from_db()
    store.emit("customer.subscription.updated", subscription.data)
    return store.shown(subscription)


def _drop_pending(subscription: SandboxObject) -> None:
    """Forget an upgrade that was not paid: its invoice need not be paid any more."""
    if subscription.data["pending_update"] is None:
        return
    store.change(subscription, pending_update=None)
    invoice = store.get("invoice", subscription.secret["pending_invoice"])
    store.change(invoice, status="void")
    store.emit("invoice.voided", invoice.data)


def cancel_at_end(name: str, *, is_canceled: bool) -> None:
    """Let a subscription end with its period, or go on after all."""
    subscription = store.get("subscription", name)
    store.change(
        subscription,
        cancel_at_period_end=is_canceled,
        cancel_at=item_of(subscription)["current_period_end"] if is_canceled else None,
        canceled_at=store.now() if is_canceled else None,
    )
    store.emit("customer.subscription.updated", subscription.data)


def reduce_at_end(name: str, price_id: str) -> None:
    """Plan a smaller plan for the end of the period."""
    subscription = store.get("subscription", name)
    item, price = item_of(subscription), catalogue.price(price_id)
    phases = [
        {"start_date": item["current_period_start"], "items": [{"price": item["price"]["id"]}]},
        {"start_date": item["current_period_end"], "items": [{"price": price["id"]}]},
    ]
    schedule = store.insert(
        "subscription_schedule",
        "sub_sched",
        {
            "status": "active",
            "subscription": name,
            "phases": phases,
            "customer": subscription.data["customer"],
        },
    )
    store.change(subscription, schedule=schedule.pk)
    store.emit("customer.subscription.updated", subscription.data)


def release_schedule(name: str) -> Object:
    """Forget what was planned for the end of the period."""
    schedule = store.get("subscription_schedule", name)
    subscription = store.get("subscription", schedule.data["subscription"])
    store.change(schedule, status="released", subscription=None)
    store.change(subscription, schedule=None)
    store.emit("customer.subscription.updated", subscription.data)
    return store.shown(schedule)


def with_schedule(subscription: Object) -> Object:
    """Return a subscription with its schedule, as `expand` asks for."""
    name = subscription["schedule"]
    return {**subscription, "schedule": store.get("subscription_schedule", name).data if name else None}


def turn_over() -> None:
    """Renew, end and give up what is due now."""
    for subscription in store.find("subscription"):
        update = subscription.data["pending_update"]
        if update and update["expires_at"] <= store.now():
            _drop_pending(subscription)
            store.emit("customer.subscription.pending_update_expired", subscription.data)
        if subscription.data["status"] == "past_due":
            _give_up_if_due(subscription)
        while subscription.data["status"] == "active" and _is_due(subscription):
            _renew(subscription)
            subscription.refresh_from_db()


def _is_due(subscription: SandboxObject) -> bool:
    return bool(item_of(subscription)["current_period_end"] <= store.now())


def _renew(subscription: SandboxObject) -> None:
    if subscription.data["cancel_at_period_end"]:
        end(subscription)
        return
    item = item_of(subscription)
    price, start = item["price"], item["current_period_end"]
    if subscription.data["schedule"]:
        schedule = store.get("subscription_schedule", subscription.data["schedule"])
        price = store.get("price", schedule.data["phases"][-1]["items"][0]["price"]).data
        release_schedule(schedule.pk)
        subscription.refresh_from_db()
    _set_item(subscription, price, start)
    invoice = write_invoice(subscription, price=price, start=start, reason="subscription_cycle")
    card = store.get("customer", subscription.data["customer"]).secret["card"]
    if pay_invoice(invoice, card=card) != "succeeded":
        subscription.refresh_from_db()
        store.change(subscription, status="past_due")
    subscription.refresh_from_db()
    store.emit("customer.subscription.updated", subscription.data)


def _give_up_if_due(subscription: SandboxObject) -> None:
    invoice = store.get("invoice", subscription.data["latest_invoice"])
    if invoice.data["created"] + _DUNNING.total_seconds() <= store.now():
        store.change(invoice, status="uncollectible")
        end(subscription)


def cancel(name: str) -> Object:
    """End a subscription now, as the studio asks for it; nothing of it is billed any more."""
    subscription = store.get("subscription", name)
    if subscription.data["status"] == "canceled":
        raise RequestError(f"No such subscription: {name}", status=404, code="resource_missing")
    end(subscription)
    return store.shown(subscription)


def end(subscription: SandboxObject) -> None:
    """End a subscription now."""
    store.change(subscription, status="canceled", ended_at=store.now(), cancel_at=None)
    store.emit("customer.subscription.deleted", subscription.data)
