"""What an account's subscriptions and disputes come to: its plan, and whether it may spend."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from billing import ledger
from billing.models import FREE_PLAN, Alert, CreditAccount, Dispute, Plan, Subscription

# In these a subscription gives its plan.
LIVE_STATUSES = ("active", "trialing", "past_due")
# In these it can come to life again: nobody should buy a second one.
ENDED_STATUSES = ("canceled", "incomplete_expired")


def settle_standing(account: CreditAccount, *, now: datetime) -> None:
    """Bring an account's plan and its pause in step; the caller has locked the account."""
    account.plan = _plan_of(account, now) or Plan.objects.get(slug=FREE_PLAN)
    account.billing_hold = (
        Dispute.objects.filter(payment__account=account, is_open=True).exists()
        or account.alerts.filter(kind=Alert.Kind.FRAUD, resolved_at__isnull=True).exists()
    )
    account.save(update_fields=["plan", "billing_hold"])


def grace_ends(subscription: Subscription) -> datetime | None:
    """Return until when a plan stays whose renewal is not paid; None where that is not so."""
    if subscription.status != "past_due" or subscription.period_start is None:
        return None
    # A period that could not be paid began with the try to pay it.
    return subscription.period_start + timedelta(days=settings.BILLING_GRACE_DAYS)


def end_graces(*, now: datetime | None = None) -> int:
    """End the plans whose grace is over, which no event tells of; return how many.

    Transaction: one an account.
    """
    now = now or timezone.now()
    overdue = Subscription.objects.filter(is_live=True, status="past_due", account__plan=F("plan"))
    ended = 0
    for subscription in overdue.select_related("account"):
        until = grace_ends(subscription)
        if until is not None and until <= now:
            with transaction.atomic():
                settle_standing(ledger.lock_account(subscription.account_id), now=now)
            ended += 1
    return ended


def _plan_of(account: CreditAccount, now: datetime) -> Plan | None:
    live = account.subscriptions.filter(is_live=True).select_related("plan").first()
    if live is None:
        # The one that stood behind an ended one steps forward.
        live = account.subscriptions.filter(status__in=LIVE_STATUSES).select_related("plan").first()
        if live is None:
            return None
        live.is_live = True
        live.save(update_fields=["is_live"])
    until = grace_ends(live)
    return live.plan if until is None or until > now else None
