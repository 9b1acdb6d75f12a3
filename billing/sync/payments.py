"""Refunds, disputes and warnings: all of them are about a payment, and are looked at with it."""

import contextlib
import uuid

from django.utils import timezone

from billing import ledger
from billing.clawback import FAILED_REFUNDS, settle_payment
from billing.gateway import Object, get_gateway
from billing.letters import raise_alert
from billing.models import Alert, Dispute, Payment, Refund, RefundRequest
from billing.standing import settle_standing
from billing.sync.checkouts import look_at_checkout
from billing.sync.common import Apply, account_behind, name_of, new_look, nothing_of_ours, when
from billing.sync.invoices import look_at_invoice

# In these a dispute is decided.
_CLOSED = ("won", "lost", "prevented", "warning_closed")


def look_at_payment(payment_id: str) -> Apply:
    """See what of a payment went back; one that we have not heard of is looked at with its sale."""
    if not payment_id:
        return nothing_of_ours
    number = new_look()
    gateway = get_gateway()
    sale = None
    if not Payment.objects.filter(stripe_id=payment_id).exists():
        sold = gateway.sale_of(payment_id)
        if sold is None:
            return nothing_of_ours
        sale = look_at_checkout(sold[1]) if sold[0] == "session" else look_at_invoice(sold[1])
    refunds = gateway.refunds_of(payment_id)
    disputes = gateway.disputes_of(payment_id)

    def apply() -> bool:
        if sale is not None:
            sale()
        return _apply(payment_id, refunds, disputes, number)

    return apply


def look_at_refund(refund_id: str) -> Apply:
    """See what became of a refund."""
    return look_at_payment(name_of(get_gateway().refund(refund_id)["payment_intent"]))


def look_at_dispute(dispute_id: str) -> Apply:
    """See how a dispute stands."""
    return look_at_payment(name_of(get_gateway().dispute(dispute_id)["payment_intent"]))


def look_at_charge(charge_id: str) -> Apply:
    """See what of a charge went back."""
    return look_at_payment(name_of(get_gateway().charge(charge_id)["payment_intent"]))


def look_at_warning(warning_id: str) -> Apply:
    """Pause an account whose payment a bank takes for fraud, until somebody has looked at it."""
    gateway = get_gateway()
    charge = gateway.charge(name_of(gateway.fraud_warning(warning_id)["charge"]))
    account_id = account_behind(name_of(charge["customer"]))
    if account_id is None:
        return nothing_of_ours

    def apply() -> bool:
        account = ledger.lock_account(account_id)
        raise_alert(ref=f"fraud:{warning_id}", kind=Alert.Kind.FRAUD, account=account)
        settle_standing(account, now=timezone.now())
        return True

    return apply


def _apply(payment_id: str, refunds: list[Object], disputes: list[Object], number: int) -> bool:
    payment = Payment.objects.filter(stripe_id=payment_id).first()
    if payment is None:
        return False
    account = ledger.lock_account(payment.account_id)
    payment.refresh_from_db()
    if payment.look > number:
        return True
    for refund in refunds:
        _copy_refund(payment, refund)
    for dispute in disputes:
        _copy_dispute(payment, dispute)
    payment.look = number
    payment.save(update_fields=["look"])
    settle_payment(account, payment)
    settle_standing(account, now=timezone.now())
    return True


def _copy_refund(payment: Payment, seen: Object) -> None:
    request = _request_of(payment, seen)
    status = seen.get("status") or "pending"
    Refund.objects.update_or_create(
        stripe_id=seen["id"],
        defaults={
            "payment": payment,
            "request": request,
            "amount_cents": seen["amount"],
            "status": status,
            "failure": seen.get("failure_reason") or "",
            "created_at": when(seen["created"]),
        },
    )
    if request is None:
        return
    request.stripe_refund_id = seen["id"]
    if status in FAILED_REFUNDS:
        request.state = RefundRequest.State.FAILED
        request.problem = (seen.get("failure_reason") or status)[:200]
    elif status == "succeeded":
        request.state = RefundRequest.State.DONE
    request.save(update_fields=["stripe_refund_id", "state", "problem"])


def _request_of(payment: Payment, seen: Object) -> RefundRequest | None:
    """Return the request that a refund was made for; one made in Stripe's dashboard has none."""
    with contextlib.suppress(ValueError):
        wanted = uuid.UUID(str((seen.get("metadata") or {}).get("request", "")))
        return RefundRequest.objects.filter(pk=wanted, payment=payment).first()
    return None


def _copy_dispute(payment: Payment, seen: Object) -> None:
    status = seen["status"]
    moved = sum(move["amount"] for move in seen["balance_transactions"])
    Dispute.objects.update_or_create(
        stripe_id=seen["id"],
        defaults={
            "payment": payment,
            "amount_cents": seen["amount"],
            "withdrawn_cents": max(0, -moved),
            "status": status,
            "reason": seen.get("reason") or "",
            # A warning asks, and takes nothing yet.
            "is_open": status not in _CLOSED and not status.startswith("warning_"),
            "created_at": when(seen["created"]),
        },
    )
