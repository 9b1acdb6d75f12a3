"""Whether our books agree with themselves and with Stripe; and, where asked, bringing them in step.

Stripe's objects are compared by doing what their events would have had done: where everything is in step that
changes nothing. It is rolled back unless the difference is to be mended.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from billing import ledger
from billing.clawback import credits_for, money_gone, settle_payment
from billing.gateway import Object, get_gateway
from billing.letters import tell_differences
from billing.models import (
    CreditAccount,
    Dispute,
    Invoice,
    Payment,
    Refund,
    RefundRequest,
    StripeEvent,
    Subscription,
)
from billing.standing import settle_standing
from billing.sync import (
    Apply,
    look_at_checkout,
    look_at_invoice,
    look_at_payment,
    look_at_subscription,
)
from billing.sync.common import account_behind, name_of

logger = logging.getLogger(__name__)

# What is older was compared many times.
LOOK_BACK = timedelta(days=35)
# What waits longer than this is stuck.
_STUCK = timedelta(hours=2)

# Accounts whose balances are not what their entries, grants and holds say.
_BOOKS = """
WITH entries AS (
    SELECT txn.account_id, entry.bucket, sum(entry.amount) AS total
    FROM billing_creditentry entry JOIN billing_credittxn txn ON txn.id = entry.txn_id
    GROUP BY txn.account_id, entry.bucket
), grants AS (
    SELECT account_id, sum(remaining - held) AS free, sum(held) AS held
    FROM billing_creditgrant GROUP BY account_id
), holds AS (
    SELECT account_id, sum(amount) FILTER (WHERE state = 'held') AS held, sum(charged) AS charged
    FROM billing_credithold GROUP BY account_id
)
SELECT account.id FROM billing_creditaccount account
LEFT JOIN grants ON grants.account_id = account.id
LEFT JOIN holds ON holds.account_id = account.id
LEFT JOIN entries available ON available.account_id = account.id AND available.bucket = 'available'
LEFT JOIN entries held ON held.account_id = account.id AND held.bucket = 'held'
LEFT JOIN entries debt ON debt.account_id = account.id AND debt.bucket = 'debt'
LEFT JOIN entries consumed ON consumed.account_id = account.id AND consumed.bucket = 'consumed'
WHERE account.available <> coalesce(available.total, 0)
    OR account.held <> coalesce(held.total, 0)
    OR account.debt <> -coalesce(debt.total, 0)
    OR account.available <> coalesce(grants.free, 0)
    OR account.held <> coalesce(grants.held, 0)
    OR account.held <> coalesce(holds.held, 0)
    OR coalesce(consumed.total, 0) <> coalesce(holds.charged, 0)
ORDER BY account.id
"""
# Grants of which another amount is taken back than the entries say.
_CLAWED = """
SELECT g.id FROM billing_creditgrant g
LEFT JOIN billing_creditentry entry ON entry.grant_id = g.id AND entry.bucket = 'clawed'
GROUP BY g.id HAVING g.clawed <> coalesce(sum(entry.amount), 0) ORDER BY g.id
"""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Something that is not as it should be, and whether it was mended."""

    what: str
    is_mended: bool = False

    def __str__(self) -> str:
        return f"{self.what}{' (mended)' if self.is_mended else ''}"


def find_differences(
    *, mend: bool = False, ask_stripe: bool = True, now: datetime | None = None
) -> list[Difference]:
    """Return everything that does not agree; with `mend`, what Stripe knows better is taken over.

    The ledger itself is never mended: a difference in there is for a person. Transaction: one a difference.
    """
    now = now or timezone.now()
    found = [Difference(what=what) for what in _books()]
    found += _clawbacks(mend=mend)
    if ask_stripe:
        for name, apply, account_id in _objects(now - LOOK_BACK):
            what = _compare(name, apply, account_id, mend=mend)
            if what:
                found.append(Difference(what=what, is_mended=mend))
    found += [Difference(what=what) for what in _stuck(now - _STUCK)]
    return found


def _books() -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(_BOOKS)
        yield from (f"account {row[0]}: its balances are not the sum of its entries" for row in cursor)
        cursor.execute(_CLAWED)
        yield from (f"grant {row[0]}: not as much is taken back as its entries say" for row in cursor)


def _clawbacks(*, mend: bool) -> Iterator[Difference]:
    """Find payments of whose grant not as much is taken back as money went back."""
    moved = Payment.objects.exclude(refunds=None, disputes=None, refund_requests=None, grant__clawed=0)
    for payment in moved.select_related("grant").distinct():
        wanted = credits_for(payment, money_gone(payment))
        if payment.grant.clawed == wanted:
            continue
        what = f"payment {payment.stripe_id}: {payment.grant.clawed} credits taken back, not {wanted}"
        if mend:
            with transaction.atomic():
                settle_payment(ledger.lock_account(payment.account_id), payment)
        yield Difference(what=what, is_mended=mend)


def _objects(since: datetime) -> Iterator[tuple[str, Apply, int | None]]:
    """Look at every object at Stripe that may have led to something here."""
    gateway = get_gateway()
    listed: tuple[tuple[str, Iterator[Object], Any], ...] = (
        ("subscription", gateway.subscriptions(), look_at_subscription),
        ("invoice", gateway.invoices_since(since), look_at_invoice),
        ("checkout", gateway.checkouts_since(since), look_at_checkout),
    )
    for kind, items, look in listed:
        for item in items:
            account_id = account_behind(name_of(item["customer"]))
            if account_id is not None:
                yield f"{kind} {item['id']}", look(item["id"]), account_id
    seen = set()
    for items in (gateway.refunds_since(since), gateway.disputes_since(since)):
        for item in items:
            intent = name_of(item["payment_intent"])
            if intent and intent not in seen:
                seen.add(intent)
                payment = Payment.objects.filter(stripe_id=intent).first()
                account_id = payment.account_id if payment else None
                yield f"payment {intent}", look_at_payment(intent), account_id


def _compare(name: str, apply: Apply, account_id: int | None, *, mend: bool) -> str:
    """Return what an object would change, empty for nothing."""
    with transaction.atomic():
        before = _state(account_id)
        is_ours = apply()
        after = _state(account_id)
        transaction.set_rollback(not mend)
    if account_id is None:
        return f"{name}: went back, and was not known here" if is_ours else ""
    changed = sorted(part for part in after if after[part] != before[part])
    return f"{name}: account {account_id} differs in {', '.join(changed)}" if changed else ""


def _state(account_id: int | None) -> dict[str, Any]:
    """Return everything that Stripe has a say in, of an account."""
    if account_id is None:
        return {}
    account = CreditAccount.objects.get(pk=account_id)
    subscriptions = Subscription.objects.filter(account=account).order_by("pk")
    invoices = Invoice.objects.filter(account=account).order_by("pk")
    refunds = Refund.objects.filter(payment__account=account).order_by("pk")
    disputes = Dispute.objects.filter(payment__account=account).order_by("pk")
    return {
        "balance": (account.available, account.held, account.debt),
        "standing": (account.plan_id, account.billing_hold),
        "grants": list(account.grants.order_by("pk").values_list("source_ref", "amount", "clawed")),
        "subscriptions": list(subscriptions.values_list("stripe_id", "status", "plan", "period_end")),
        "invoices": list(invoices.values_list("stripe_id", "status", "due_cents")),
        "checkouts": list(account.checkouts.order_by("pk").values_list("pk", "state")),
        "refunds": list(refunds.values_list("stripe_id", "status")),
        "disputes": list(disputes.values_list("stripe_id", "status", "withdrawn_cents")),
    }


def _stuck(before: datetime) -> Iterator[str]:
    waiting = StripeEvent.objects.filter(state=StripeEvent.State.PENDING, received_at__lt=before)
    yield from (f"event {event.event_id}: waits since {event.received_at}" for event in waiting)
    given_up = StripeEvent.objects.filter(state=StripeEvent.State.FAILED)
    yield from (f"event {event.event_id}: given up, {event.problem}" for event in given_up)
    # One that Stripe has taken may be on its way for days.
    unsent = RefundRequest.objects.filter(state=RefundRequest.State.SENDING, stripe_refund_id__isnull=True)
    sending = unsent.filter(created_at__lt=before)
    yield from (f"refund {request.pk}: on its way since {request.created_at}" for request in sending)


def sweep_objects() -> int:
    """Mend every night what no event has told; return how many differences there were."""
    _forgotten_standings()
    differences = find_differences(mend=True)
    for difference in differences:
        logger.warning("Billing: %s", difference)
    if differences:
        tell_differences([str(difference) for difference in differences])
    return len(differences)


def _forgotten_standings() -> None:
    """Settle accounts whose plan is not that of their subscription."""
    apart = Subscription.objects.filter(is_live=True, plan__isnull=False).exclude(account__plan=F("plan"))
    for account_id in set(apart.values_list("account_id", flat=True)):
        with transaction.atomic():
            settle_standing(ledger.lock_account(account_id), now=timezone.now())
