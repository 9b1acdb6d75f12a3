"""Giving money back: asked for by one of the staff, from a certain amount on approved by another.

The order keeps it safe: the decision is a row, its credits are taken back with it, that is committed, and
only then is Stripe asked, under a key that follows from the row. Whoever dies in between is followed by
`send_waiting_refunds`; a refund that fails at Stripe gives the credits back.
"""

import logging
import uuid
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from billing import ledger
from billing.clawback import credits_for, money_gone, settle_payment
from billing.exceptions import PaymentRefused, PaymentsAway, ReasonMissing, RefundRefused
from billing.gateway import get_gateway
from billing.models import CreditAccount, Payment, RefundRequest
from billing.sync import look_at_payment
from billing.sync.common import apply_look

logger = logging.getLogger(__name__)

State = RefundRequest.State


@dataclass(frozen=True, kw_only=True)
class RefundPreview:
    """What a refund would do. Money in cents, the rest in credits."""

    paid: int
    gone: int
    refundable: int
    cents: int
    unspent: int
    clawback: int
    debt: int
    needs_approval: bool


def preview_refund(payment: Payment, cents: int | None = None) -> RefundPreview:
    """Return what a refund of so many cents would do; of None, the share that was not spent."""
    grant, account = payment.grant, payment.account
    gone = money_gone(payment)
    waiting = payment.refund_requests.filter(state=State.WAITING).aggregate(total=Sum("amount_cents"))
    refundable = payment.amount_cents - gone - int(waiting["total"] or 0)
    if cents is None:
        cents = min(refundable, payment.amount_cents * grant.free // grant.amount)
    target = credits_for(payment, min(payment.amount_cents, gone + cents))
    clawback = max(0, target - grant.clawed)
    from_grant = min(clawback, grant.free)
    elsewhere = account.available - grant.free
    return RefundPreview(
        paid=payment.amount_cents,
        gone=gone,
        refundable=refundable,
        cents=cents,
        unspent=grant.free,
        clawback=clawback,
        debt=max(0, account.debt + clawback - from_grant - max(0, elsewhere)),
        needs_approval=gone + cents >= settings.REFUND_APPROVAL_CENTS,
    )


def request_refund(
    *, payment: Payment, cents: int, reason: str, staff: User, token: uuid.UUID
) -> RefundRequest:
    """Decide to give money back, once per `token`; small amounts are sent at once.

    Effect: the request; unless it waits for a second person its credits go, and Stripe is asked. Transaction:
    its own, before Stripe is asked. Errors: ReasonMissing, RefundRefused.
    """
    request = _decide(payment=payment, cents=cents, reason=reason, staff=staff, token=token)
    if request.state == State.SENDING:
        send_refund(request)
        request.refresh_from_db()
    return request


def approve_refund(*, request: RefundRequest, staff: User) -> RefundRequest:
    """Approve what somebody else has asked for, and send it. Errors: RefundRefused."""
    with transaction.atomic():
        account = ledger.lock_account(request.payment.account_id)
        row = _to_decide(request, staff)
        _note_decision(row, State.SENDING, staff)
        settle_payment(account, row.payment, reason=row.reason)
    send_refund(row)
    row.refresh_from_db()
    return row


def reject_refund(*, request: RefundRequest, staff: User, reason: str) -> RefundRequest:
    """Refuse what somebody else has asked for, and keep the reason. Errors: RefundRefused, ReasonMissing."""
    if not reason.strip():
        raise ReasonMissing
    with transaction.atomic():
        ledger.lock_account(request.payment.account_id)
        row = _to_decide(request, staff)
        row.problem = reason.strip()[:200]
        _note_decision(row, State.REJECTED, staff)
    return row


def send_refund(request: RefundRequest) -> None:
    """Ask Stripe for a refund that was decided, and note what came of it. Safe to do again.

    While Stripe does not answer it stays on its way; when Stripe refuses, its credits come back.
    """
    payment = request.payment
    try:
        get_gateway().create_refund(
            payment=payment.stripe_id, cents=request.amount_cents, request=str(request.pk)
        )
    except PaymentsAway:
        return
    except PaymentRefused as error:
        _fail(request, error.detail)
        return
    apply_look(look_at_payment(payment.stripe_id))


def send_waiting_refunds() -> int:
    """Send what was decided and not sent; return how many were tried. Called every hour.

    Stripe forgets after a day which keys it has seen. So it is asked first whether the refund was made and
    only the answer got lost: sent again by then, the money would go back twice.
    """
    unsent = RefundRequest.objects.filter(state=State.SENDING, stripe_refund_id__isnull=True)
    requests = list(unsent.select_related("payment"))
    for request in requests:
        try:
            apply_look(look_at_payment(request.payment.stripe_id))
        except (PaymentsAway, PaymentRefused):
            # It stays on its way, and the nightly comparison tells of one that does so for long.
            continue
        request.refresh_from_db()
        if request.state == State.SENDING and request.stripe_refund_id is None:
            send_refund(request)
    return len(requests)


@transaction.atomic
def _decide(*, payment: Payment, cents: int, reason: str, staff: User, token: uuid.UUID) -> RefundRequest:
    reason = reason.strip()
    if not reason:
        raise ReasonMissing
    account = ledger.lock_account(payment.account_id)
    known = RefundRequest.objects.filter(pk=token).first()
    if known is not None:
        return known
    payment = Payment.objects.select_related("grant", "account").get(pk=payment.pk)
    preview = preview_refund(payment, cents)
    if not 1 <= cents <= preview.refundable:
        raise RefundRefused(
            _("%(cents)s cents of this payment can be given back.") % {"cents": max(0, preview.refundable)}
        )
    request = RefundRequest.objects.create(
        id=token,
        payment=payment,
        amount_cents=cents,
        credits=preview.clawback,
        reason=reason,
        requester=staff,
        requester_name=staff.public_name,
        state=State.WAITING if preview.needs_approval else State.SENDING,
    )
    if request.state == State.SENDING:
        settle_payment(account, payment, reason=reason)
    return request


@transaction.atomic
def _fail(request: RefundRequest, why: str) -> None:
    """Note that Stripe refused, and give the credits back."""
    logger.error("Refund %s was refused: %s", request.pk, why)
    account: CreditAccount = ledger.lock_account(request.payment.account_id)
    sent = RefundRequest.objects.filter(pk=request.pk, state=State.SENDING, stripe_refund_id__isnull=True)
    sent.update(state=State.FAILED, problem=why[:200])
    settle_payment(account, request.payment)


def _to_decide(request: RefundRequest, staff: User) -> RefundRequest:
    """Return a request as it is now, if it waits for this member of staff. Raises RefundRefused."""
    row = RefundRequest.objects.select_related("payment__grant").get(pk=request.pk)
    if row.state != State.WAITING:
        raise RefundRefused(_("This was decided already. Reload the page to see how."))
    if row.requester_id == staff.pk:
        raise RefundRefused(_("Somebody else has to decide about what you have asked for."))
    return row


def _note_decision(row: RefundRequest, state: str, staff: User) -> None:
    row.state, row.approver, row.approver_name = state, staff, staff.public_name
    row.decided_at = timezone.now()
    row.save(update_fields=["state", "approver", "approver_name", "decided_at", "problem"])
