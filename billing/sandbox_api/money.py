"""Payment intents, charges, invoices, refunds and disputes."""

import hashlib
from typing import Any

from billing.models import SandboxObject
from billing.sandbox_api import store
from billing.sandbox_api.pages import page_url
from billing.sandbox_api.requests import RequestError
from billing.sandbox_api.store import Object

# What the made-up tax comes to, where tax is asked for, in percent.
TAX_PERCENT = 19


def new_payment(*, customer: str, cents: int, currency: str, metadata: Object) -> SandboxObject:
    """Make a payment that still has to be made."""
    data = {
        "customer": customer,
        "amount": cents,
        "amount_received": 0,
        "currency": currency,
        "status": "requires_payment_method",
        "latest_charge": None,
        "last_payment_error": None,
        "metadata": metadata,
    }
    return store.insert("payment_intent", "pi", data)


def try_card(payment: SandboxObject, card: str, *, is_authorised: bool = False) -> str:
    """Charge a payment to a test card; return its status: succeeded, requires_action or declined."""
    if card == "asks" and not is_authorised:
        store.change(payment, status="requires_action")
        return "requires_action"
    if card == "declined":
        error = {"code": "card_declined", "message": "Your card was declined.", "type": "card_error"}
        store.change(payment, status="requires_payment_method", last_payment_error=error)
        store.emit("payment_intent.payment_failed", payment.data)
        return "declined"
    succeed(payment, card)
    return "succeeded"


def succeed(payment: SandboxObject, card: str) -> None:
    """Let the money of a payment arrive."""
    customer = store.get("customer", payment.data["customer"])
    number = customer.secret.get("number") or customer.pk
    fingerprint = hashlib.sha256(number.encode()).hexdigest()[:16]
    charge = store.insert(
        "charge",
        "ch",
        {
            "amount": payment.data["amount"],
            "amount_refunded": 0,
            "currency": payment.data["currency"],
            "customer": payment.data["customer"],
            "payment_intent": payment.pk,
            "paid": True,
            "refunded": False,
            "disputed": False,
            "status": "succeeded",
            "payment_method_details": {
                "type": "card",
                "card": {"brand": "visa", "last4": "4242", "fingerprint": fingerprint},
            },
        },
    )
    received = payment.data["amount"]
    store.change(payment, status="succeeded", amount_received=received, latest_charge=charge.pk)
    customer.secret["card"] = card
    customer.save(update_fields=["secret"])
    store.emit("charge.succeeded", charge.data)


def new_invoice(
    *,
    customer: str,
    lines: list[Object],
    reason: str,
    subscription: str | None,
    metadata: Object,
    percent_off: float = 0,
    is_taxed: bool = False,
) -> SandboxObject:
    """Write an invoice; its lines are of `line`."""
    subtotal = sum(line["amount"] for line in lines)
    net = subtotal - round(subtotal * percent_off / 100)
    tax = round(net * TAX_PERCENT / 100) if is_taxed else 0
    parent = None
    if subscription:
        details = {"subscription": subscription, "metadata": metadata}
        parent = {"type": "subscription_details", "subscription_details": details, "quote_details": None}
    invoice = store.insert(
        "invoice",
        "in",
        {
            "customer": customer,
            "status": "open",
            "billing_reason": reason,
            "attempted": False,
            "attempt_count": 0,
            "number": None,
            "currency": lines[0]["currency"],
            "subtotal": subtotal,
            "total": net + tax,
            "total_excluding_tax": net,
            "total_taxes": [{"amount": tax}] if tax else [],
            "amount_due": net + tax,
            "amount_paid": 0,
            "amount_remaining": net + tax,
            "lines": store.listed(lines),
            "payments": None,
            "parent": parent,
            "last_finalization_error": None,
            "hosted_invoice_url": None,
            "invoice_pdf": None,
            "status_transitions": {"paid_at": None, "finalized_at": store.now()},
            "metadata": metadata,
        },
    )
    number = f"SANDBOX-{store.count('invoice'):05}"
    return store.change(
        invoice, number=number, hosted_invoice_url=page_url("sandbox_invoice", invoice=invoice.pk)
    )


def line(
    price: Object, *, period: tuple[int, int], item: str | None = None, subscription: str | None = None
) -> Object:
    """Return a line of an invoice: one piece of a price for a period."""
    parent: Object = {"type": "invoice_item_details", "subscription_item_details": None}
    if item:
        details = {"subscription": subscription, "subscription_item": item, "proration": False}
        parent = {"type": "subscription_item_details", "subscription_item_details": details}
    return {
        "id": f"il_sandbox{price['id'][-8:]}",
        "object": "line_item",
        "amount": price["unit_amount"],
        "currency": price["currency"],
        "period": {"start": period[0], "end": period[1]},
        "pricing": {
            "type": "price_details",
            "price_details": {"price": price["id"], "product": price["product"]},
        },
        "parent": parent,
        "quantity": 1,
    }


def invoice_paid(invoice: SandboxObject, payment: SandboxObject | None) -> None:
    """Mark an invoice as paid and say so."""
    total = invoice.data["total"]
    if payment is not None:
        paid_with = {"type": "payment_intent", "payment_intent": payment.pk}
        data = {"invoice": invoice.pk, "payment": paid_with, "status": "paid", "amount_paid": total}
        store.insert("invoice_payment", "inpay", data)
    store.change(
        invoice,
        status="paid",
        attempted=True,
        amount_paid=total,
        amount_remaining=0,
        status_transitions={**invoice.data["status_transitions"], "paid_at": store.now()},
    )
    store.emit("invoice.paid", invoice.data)
    store.emit("invoice.payment_succeeded", invoice.data)


def with_payments(invoice: Object) -> Object:
    """Return an invoice with its payments, as `expand` asks for."""
    paid = [row.data for row in store.find("invoice_payment", invoice=invoice["id"])]
    return {**invoice, "payments": store.listed(paid)}


def create_refund(params: Object) -> Object:
    """Give back money of a payment."""
    payment = store.get("payment_intent", params["payment_intent"])
    if payment.data["status"] != "succeeded":
        raise RequestError("This PaymentIntent does not have a successful charge to refund.")
    charge = store.get("charge", payment.data["latest_charge"])
    left = charge.data["amount"] - charge.data["amount_refunded"]
    cents = int(params.get("amount", left))
    if not 0 < cents <= left:
        raise RequestError("Refund amount is greater than unrefunded amount on charge.")
    refund = store.insert(
        "refund",
        "re",
        {
            "amount": cents,
            "currency": payment.data["currency"],
            "charge": charge.pk,
            "payment_intent": payment.pk,
            "status": "succeeded",
            "metadata": params.get("metadata", {}),
            "failure_reason": None,
        },
    )
    _count_refunds(charge)
    store.emit("refund.created", refund.data)
    store.emit("charge.refunded", charge.data)
    return store.shown(refund)


def fail_refund(name: str) -> None:
    """Let a refund bounce, as a closed bank account makes it."""
    refund = store.get("refund", name)
    store.change(refund, status="failed", failure_reason="lost_or_stolen_card")
    _count_refunds(store.get("charge", refund.data["charge"]))
    store.emit("refund.failed", refund.data)


def _count_refunds(charge: SandboxObject) -> None:
    refunds = store.find("refund", charge=charge.pk)
    total = sum(row.data["amount"] for row in refunds if row.data["status"] != "failed")
    store.change(charge, amount_refunded=total, refunded=total == charge.data["amount"])


def open_dispute(payment_id: str, *, is_inquiry: bool = False) -> SandboxObject:
    """Dispute a payment at the bank; unless it is an inquiry the money goes at once."""
    payment = store.get("payment_intent", payment_id)
    charge = store.get("charge", payment.data["latest_charge"])
    dispute = store.insert(
        "dispute",
        "du",
        {
            "amount": charge.data["amount"],
            "currency": charge.data["currency"],
            "charge": charge.pk,
            "payment_intent": payment.pk,
            "reason": "product_not_received",
            "status": "warning_needs_response" if is_inquiry else "needs_response",
            "balance_transactions": [],
        },
    )
    store.change(charge, disputed=True)
    store.emit("charge.dispute.created", dispute.data)
    if not is_inquiry:
        _move_funds(dispute, -dispute.data["amount"], "charge.dispute.funds_withdrawn")
    return dispute


def close_dispute(name: str, *, is_won: bool) -> None:
    """Let the bank decide."""
    dispute = store.get("dispute", name)
    store.change(dispute, status="won" if is_won else "lost")
    if is_won:
        _move_funds(dispute, dispute.data["amount"], "charge.dispute.funds_reinstated")
    store.emit("charge.dispute.closed", dispute.data)


def _move_funds(dispute: SandboxObject, cents: int, kind: str) -> None:
    moves = [*dispute.data["balance_transactions"], {"amount": cents, "type": "adjustment"}]
    store.change(dispute, balance_transactions=moves)
    store.emit(kind, dispute.data)


def warn_of_fraud(payment_id: str) -> None:
    """Have a bank warn of fraud."""
    payment: Any = store.get("payment_intent", payment_id).data
    about = {"charge": payment["latest_charge"], "payment_intent": payment_id, "actionable": True}
    warning = store.insert("radar.early_fraud_warning", "issfr", {**about, "fraud_type": "misc"})
    store.emit("radar.early_fraud_warning.created", warning.data)
