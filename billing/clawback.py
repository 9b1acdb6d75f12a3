"""Taking back the credits of money that went back, and giving them again when it came after all.

Nothing here remembers what was done: how much of a grant is to be taken back follows from the payment's
refunds and disputes as they are now, and only the difference to what is taken already is written. So events
may come twice, late or in any order.
"""

from datetime import datetime, timedelta

from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from billing import ledger
from billing.ledger import Bucket, Kind, Leg
from billing.models import CreditAccount, CreditEntry, CreditGrant, CreditTxn, Payment, RefundRequest

# Refunds in these states give no money back.
FAILED_REFUNDS = ("failed", "canceled")
# What comes back after its grant has expired stays usable this long.
USABLE_AFTER_EXPIRY = timedelta(days=7)


def money_gone(payment: Payment) -> int:
    """Return how many cents of a payment went back, or are about to: never more than was paid."""
    refunded = payment.refunds.exclude(status__in=FAILED_REFUNDS).aggregate(total=Sum("amount_cents"))
    withdrawn = payment.disputes.aggregate(total=Sum("withdrawn_cents"))
    # Sent, and not seen at Stripe yet: the credits go first, so that nobody spends them meanwhile.
    sending = payment.refund_requests.filter(state=RefundRequest.State.SENDING, refunds__isnull=True)
    asked = sending.aggregate(total=Sum("amount_cents"))
    total = sum(int(sums["total"] or 0) for sums in (refunded, withdrawn, asked))
    return min(payment.amount_cents, total)


def credits_for(payment: Payment, cents: int) -> int:
    """Return the credits of a payment's grant that so many cents of it bought, rounded up."""
    if payment.amount_cents == 0:
        return 0
    return -(-payment.grant.amount * cents // payment.amount_cents)


def settle_payment(account: CreditAccount, payment: Payment, *, reason: str = "") -> None:
    """Take back, or give again, what the payment's refunds and disputes come to now.

    The caller has locked the account. Effect: one ledger transaction for the difference, none without one.
    """
    grant = payment.grant
    grant.refresh_from_db()
    target = credits_for(payment, money_gone(payment))
    set_clawed(account, grant, target=target, reason=reason, now=timezone.now())


def set_clawed(
    account: CreditAccount, grant: CreditGrant, *, target: int, reason: str, now: datetime
) -> None:
    """Bring what is taken back of a grant to `target` credits; the caller has locked the account.

    Effect: what is free of the grant goes, the rest becomes a debt, which other free credits settle at once.
    In the other direction a debt goes first, then what had paid one comes back as credits that last (what was
    let off does not), then the grant is filled up again.
    """
    if target == grant.clawed:
        return
    number = CreditTxn.objects.filter(account=account, key__startswith=f"claw:{grant.pk}:").count()
    key = f"claw:{grant.pk}:{number}"
    if target > grant.clawed:
        _claw(account, grant, target - grant.clawed, key=key, reason=reason, now=now)
    else:
        _restore(account, grant, grant.clawed - target, key=key, reason=reason, now=now)


def _claw(
    account: CreditAccount, grant: CreditGrant, amount: int, *, key: str, reason: str, now: datetime
) -> None:
    free = min(amount, grant.free)
    legs = _between(Bucket.AVAILABLE, Bucket.CLAWED, grant, free)
    legs += _between(Bucket.DEBT, Bucket.CLAWED, grant, amount - free)
    grant.remaining -= free
    grant.clawed += amount
    grant.save(update_fields=["remaining", "clawed"])
    reason = reason or _("The payment went back")
    ledger.record(account, key=key, kind=Kind.CLAW, legs=legs, reason=reason)
    ledger.settle_debt(account, cause=key, now=now)


def _restore(
    account: CreditAccount, grant: CreditGrant, amount: int, *, key: str, reason: str, now: datetime
) -> None:
    owed = min(amount, account.debt)
    # Taken as a debt, and owed no more: it was let off, which stays so, or paid with other credits.
    past = max(0, min(amount, _taken_as_debt(grant)) - owed)
    waived = min(past, _let_off(account))
    # The rest was there when it was taken; where the grant has expired since, it comes back as another.
    back = amount - owed - past
    late = back if grant.expires_at is not None and grant.expires_at <= now else 0
    legs = _between(Bucket.CLAWED, Bucket.DEBT, grant, owed + past)
    legs += _between(Bucket.CLAWED, Bucket.AVAILABLE, grant, back - late)
    legs += _between(Bucket.CLAWED, Bucket.ISSUED, grant, late)
    undone = ((Bucket.DEBT, -past), (Bucket.WAIVED, waived), (Bucket.ISSUED, past - waived))
    legs += [Leg(bucket=bucket, amount=part) for bucket, part in undone if part]
    grant.remaining += back - late
    grant.clawed -= amount
    grant.save(update_fields=["remaining", "clawed"])
    reason = reason or _("The payment came back")
    ledger.record(account, key=key, kind=Kind.RESTORE, legs=legs, reason=reason)
    # Other credits may have been such that last: what comes back for them lasts.
    again = (("paid", past - waived, None), ("restored", late, now + USABLE_AFTER_EXPIRY))
    for name, part, expires_at in again:
        if part:
            ledger.add_grant(
                account,
                source=CreditGrant.Source.GOODWILL,
                source_ref=f"{name}:{key}",
                amount=part,
                expires_at=expires_at,
                now=now,
                reason=reason,
            )


def _taken_as_debt(grant: CreditGrant) -> int:
    """Return how much of what is taken back of a grant was not there any more and became a debt."""
    entries = CreditEntry.objects.filter(grant=grant, bucket=Bucket.DEBT)
    return -int(entries.aggregate(total=Sum("amount"))["total"] or 0)


def _let_off(account: CreditAccount) -> int:
    """Return how much an account was let off of what it owed."""
    entries = CreditEntry.objects.filter(txn__account=account, bucket=Bucket.WAIVED)
    return -int(entries.aggregate(total=Sum("amount"))["total"] or 0)


def _between(origin: str, target: str, grant: CreditGrant, amount: int) -> list[Leg]:
    return ledger.move(origin, target, [(grant, amount)]) if amount else []
