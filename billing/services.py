"""The ledger's services: every movement of credits happens here and nowhere else.

Each takes the account's row lock first, so two of them on one account run one after the other; each is safe
to call twice with the same reference. All of them join the caller's transaction, so that a job's state and
its credits change together or not at all. Locks are taken in one order: a job's row, then its account.
"""

import uuid
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Max, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from billing import ledger
from billing.exceptions import (
    CreditsShort,
    ReasonMissing,
    ReferenceReused,
    RefundTooLarge,
)
from billing.free_training import return_free_training as return_free_training  # noqa: PLC0414 -- offered here
from billing.free_training import use_free_training as use_free_training  # noqa: PLC0414 -- as above
from billing.ledger import SYSTEM, Actor, Bucket, Kind
from billing.models import (
    FREE_PLAN,
    CreditAccount,
    CreditGrant,
    CreditHold,
    CreditTxn,
    HoldPart,
    Plan,
    Price,
)

# What comes back after its grant has expired stays usable this long.
GOODWILL_AFTER_LATE_RELEASE = timedelta(days=7)

Source = CreditGrant.Source


@transaction.atomic(savepoint=False)
def open_account(*, user: User) -> CreditAccount:
    """Return the user's credit account, made on first use with the Free plan's credits.

    Effect: one account and one grant `free:{user}`, whoever comes first. Transaction: its own or the
    caller's.
    """
    account = CreditAccount.objects.filter(user=user).first()
    if account is not None:
        return account
    plan = Plan.objects.get(slug=FREE_PLAN)
    account, is_new = CreditAccount.objects.get_or_create(user=user, defaults={"plan": plan})
    if is_new and plan.credits:
        ledger.add_grant(
            account,
            source=Source.FREE,
            source_ref=f"free:{user.pk}",
            amount=plan.credits,
            expires_at=None,
            now=timezone.now(),
        )
    return account


@transaction.atomic
def grant_credits(
    *,
    account: CreditAccount,
    source: str,
    source_ref: str,
    amount: int,
    expires_at: datetime | None = None,
    reason: str = "",
    actor: Actor = SYSTEM,
) -> CreditGrant:
    """Add credits, once per `source_ref`; a debt is settled from them first.

    Effect: a grant, its transaction, perhaps a second transaction that settles debt. Transaction: its own or
    the caller's. Errors: ValueError for an amount below 1, KeyError for an unknown source, ReferenceReused
    when the reference stands for another account or amount.
    """
    if amount < 1:
        raise ValueError("A grant has at least one credit.")
    return ledger.add_grant(
        ledger.lock_account(account.pk),
        source=source,
        source_ref=source_ref,
        amount=amount,
        expires_at=expires_at,
        now=timezone.now(),
        reason=reason,
        actor=actor,
    )


@transaction.atomic
def grant_goodwill(
    *, account: CreditAccount, amount: int, reason: str, actor: Actor, token: uuid.UUID
) -> bool:
    """Give credits by a hand's decision; return whether that happened now, or had happened before.

    `token` is made with the form, so that a form sent twice grants once. Effect: as `grant_credits`; the
    credits do not expire. Transaction: its own or the caller's. Errors: ReasonMissing, and as
    `grant_credits`.
    """
    reference = f"goodwill:{token}:{account.pk}"
    ledger.lock_account(account.pk)
    is_new = not CreditGrant.objects.filter(source_ref=reference).exists()
    grant_credits(
        account=account,
        source=Source.GOODWILL,
        source_ref=reference,
        amount=amount,
        reason=_required(reason),
        actor=actor,
    )
    return is_new


@transaction.atomic
def waive_debt(*, account: CreditAccount, reason: str, actor: Actor, token: uuid.UUID) -> int:
    """Let an account off what it owes; return how many credits that was, 0 when it owes nothing.

    Effect: one ledger transaction, once per `token`. Transaction: its own or the caller's. Errors:
    ReasonMissing.
    """
    reason = _required(reason)
    account = ledger.lock_account(account.pk)
    key = f"waive:{token}:{account.pk}"
    if account.debt == 0 or CreditTxn.objects.filter(key=key).exists():
        return 0
    waived = account.debt
    legs = [ledger.Leg(bucket=Bucket.WAIVED, amount=-waived), ledger.Leg(bucket=Bucket.DEBT, amount=waived)]
    ledger.record(account, key=key, kind=Kind.WAIVE, legs=legs, reason=reason, actor=actor)
    return waived


@transaction.atomic
def refund_work(*, work_ref: uuid.UUID, amount: int, reason: str, actor: Actor) -> CreditGrant:
    """Give back credits of work in which a fault was found after it was charged; once per work.

    Effect: a goodwill grant `jobrefund:{work}` that does not expire. Transaction: its own or the caller's.
    Errors: ReasonMissing; RefundTooLarge beyond what was charged; ReferenceReused when the work was refunded
    with another amount already.
    """
    reason = _required(reason)
    hold = CreditHold.objects.filter(work_ref=work_ref).first()
    if hold is None:
        raise RefundTooLarge(charged=0)
    account = ledger.lock_account(hold.account_id)
    charged = CreditHold.objects.filter(work_ref=work_ref).aggregate(total=Sum("charged"))["total"]
    if not 1 <= amount <= charged:
        raise RefundTooLarge(charged=charged)
    return ledger.add_grant(
        account,
        source=Source.GOODWILL,
        source_ref=f"jobrefund:{work_ref}",
        amount=amount,
        expires_at=None,
        now=timezone.now(),
        reason=reason,
        actor=actor,
    )


@transaction.atomic
def hold_credits(
    *,
    user: User,
    work_ref: uuid.UUID,
    amount: int,
    label: str,
    slice_number: int = 0,
    price: Price | None = None,
) -> CreditHold | None:
    """Set credits aside for work, once per (work_ref, slice); None when there is nothing to hold.

    Consumes grants by (priority, expiry, age). Effect: a hold, its parts and one transaction. Transaction:
    its own or the caller's. Errors: CreditsShort with what is missing, AccountBlocked for debt or dispute,
    ReferenceReused when that slice is settled, another's or of another amount; ValueError below 0.
    """
    if amount < 0:
        raise ValueError("A hold has no credits below zero.")
    if amount == 0:
        return None
    account = ledger.lock_account(open_account(user=user).pk)
    existing = CreditHold.objects.filter(work_ref=work_ref, slice=slice_number).first()
    if existing is not None:
        # A settled hold secures nothing any more: whoever got it for a new one would work for free.
        if (existing.account_id, existing.amount, existing.state) != (
            account.pk,
            amount,
            CreditHold.State.HELD,
        ):
            raise ReferenceReused(f"{work_ref}:{slice_number}")
        return existing
    ledger.refuse_blocked(account)
    # What is past its date lapses now, whether or not the sweep has been here.
    ledger.lapse(account, timezone.now())
    if account.available < amount:
        raise CreditsShort(wanted=amount, available=account.available)
    hold = CreditHold.objects.create(
        account=account, work_ref=work_ref, slice=slice_number, label=label[:200], amount=amount, price=price
    )
    parts = ledger.take_parts(account, amount)
    for grant, part in parts:
        grant.held += part
        grant.save(update_fields=["held"])
    HoldPart.objects.bulk_create(HoldPart(hold=hold, grant=grant, amount=part) for grant, part in parts)
    ledger.record(
        account,
        key=f"hold:{work_ref}:{slice_number}",
        kind=Kind.HOLD,
        legs=ledger.move(Bucket.AVAILABLE, Bucket.HELD, parts),
        reason=label,
    )
    return hold


@transaction.atomic
def settle_hold(*, work_ref: uuid.UUID, charge: int, slice_number: int = 0) -> CreditHold | None:
    """Charge what was delivered of a hold and release the rest; once, whoever comes second changes nothing.

    `charge` is in credits, at most what is held. A part that goes back after its grant has expired becomes a
    goodwill grant of seven days; what goes back settles a debt first. Effect: capture and release
    transactions; None when nothing was held. Transaction: its own or the caller's (the one that finishes the
    job). Errors: ValueError for a charge beyond the hold.
    """
    hold = CreditHold.objects.filter(work_ref=work_ref, slice=slice_number).first()
    if hold is None:
        return None
    account = ledger.lock_account(hold.account_id)
    hold.refresh_from_db()
    if hold.state == CreditHold.State.SETTLED:
        return hold
    if not 0 <= charge <= hold.amount:
        raise ValueError(f"A hold of {hold.amount} credits cannot be charged {charge}.")
    captured, released = ledger.split_parts(hold, charge)
    hold.charged = charge
    hold.state = CreditHold.State.SETTLED
    hold.settled_at = timezone.now()
    hold.save(update_fields=["charged", "state", "settled_at"])
    ledger.record(
        account,
        key=f"capture:{work_ref}:{slice_number}",
        kind=Kind.CAPTURE,
        legs=ledger.move(Bucket.HELD, Bucket.CONSUMED, captured),
        reason=hold.label,
    )
    _release(account, hold, released, now=hold.settled_at)
    return hold


def expire_grants(*, now: datetime | None = None) -> int:
    """Let what is past its date lapse, except what is held; return how many credits lapsed.

    Effect: one ledger transaction a grant. Transaction: one an account, so that no two accounts are locked at
    once and a sweep that is broken off keeps what it has done.
    """
    now = now or timezone.now()
    due = CreditGrant.objects.filter(expires_at__lte=now, remaining__gt=F("held"))
    accounts = sorted(set(due.values_list("account_id", flat=True)))
    return sum(_expire_account(account_id, now) for account_id in accounts)


@transaction.atomic
def revise_price(*, price: Price) -> Price:
    """Put a price into force as the next version of its code; the former stays for receipts that name it.

    Effect: the current row of that code steps back, a new row is inserted. Transaction: its own.
    """
    versions = Price.objects.filter(code=price.code)
    # Who comes second waits here, at the one row that is always there, and then counts what the first added.
    versions.select_for_update(no_key=True).order_by("version").first()
    latest = versions.aggregate(latest=Max("version"))["latest"] or 0
    versions.filter(is_current=True).update(is_current=False)
    return Price.objects.create(
        code=price.code,
        version=latest + 1,
        label=price.label,
        credits=price.credits,
        per=price.per,
    )


def _release(account: CreditAccount, hold: CreditHold, parts: ledger.Parts, *, now: datetime) -> None:
    """Put parts back; those of an expired grant lapse with it and come back as goodwill."""
    reference = f"{hold.work_ref}:{hold.slice}"
    key = f"release:{reference}"
    legs = ledger.move(Bucket.HELD, Bucket.AVAILABLE, parts)
    ledger.record(account, key=key, kind=Kind.RELEASE, legs=legs, reason=hold.label)
    late = sum(part for grant, part in parts if grant.expires_at is not None and grant.expires_at <= now)
    if late:
        ledger.lapse(account, now)
        ledger.add_grant(
            account,
            source=Source.GOODWILL,
            source_ref=f"late:{reference}",
            amount=late,
            expires_at=now + GOODWILL_AFTER_LATE_RELEASE,
            now=now,
            reason=_("Came back after its period had ended"),
        )
    ledger.settle_debt(account, cause=key, now=now)


@transaction.atomic
def _expire_account(account_id: int, now: datetime) -> int:
    return ledger.lapse(ledger.lock_account(account_id), now)


def _required(reason: str) -> str:
    """Return the reason without its margins. Raises ReasonMissing for an empty one."""
    reason = reason.strip()
    if not reason:
        raise ReasonMissing
    return reason
