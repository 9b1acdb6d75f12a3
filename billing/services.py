"""The ledger's services: every movement of credits happens here and nowhere else.

Each takes the account's row lock first, so two of them on one account run one after the other; each is safe
to call twice with the same reference. All of them join the caller's transaction, so that a job's state and
its credits change together or not at all.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from billing.exceptions import AccountBlocked, CreditsShort
from billing.models import (
    FREE_PLAN,
    CreditAccount,
    CreditEntry,
    CreditGrant,
    CreditHold,
    CreditTxn,
    HoldPart,
    Plan,
    Price,
)

# What comes back after its grant has expired stays usable this long.
GOODWILL_AFTER_LATE_RELEASE = timedelta(days=7)

Bucket = CreditEntry.Bucket
Kind = CreditTxn.Kind
Source = CreditGrant.Source


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who moved credits, as text: the ledger outlives the person."""

    id: str = ""
    name: str = "system"


SYSTEM = Actor()


@dataclass(frozen=True, kw_only=True)
class Leg:
    """One entry to be: credits into (or out of) a bucket, of a grant."""

    bucket: str
    amount: int
    grant: CreditGrant | None = None


@transaction.atomic
def open_account(*, user: User) -> CreditAccount:
    """Return the user's credit account, made on first use with the Free plan's credits.

    Effect: one account and one grant `free:{user}`. Transaction: its own or the caller's.
    """
    plan = Plan.objects.get(slug=FREE_PLAN)
    account, is_new = CreditAccount.objects.get_or_create(user=user, defaults={"plan": plan})
    if is_new and plan.credits:
        grant_credits(account=account, source=Source.FREE, source_ref=f"free:{user.pk}", amount=plan.credits)
        account.refresh_from_db()
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
    the caller's. Errors: ValueError for an amount below 1.
    """
    if amount < 1:
        raise ValueError("A grant has at least one credit.")
    account = _lock(account.pk)
    existing = CreditGrant.objects.filter(source_ref=source_ref).first()
    if existing is not None:
        return existing
    grant = CreditGrant.objects.create(
        account=account,
        source=source,
        source_ref=source_ref,
        amount=amount,
        remaining=amount,
        priority=CreditGrant.PRIORITY[source],
        expires_at=expires_at,
    )
    _write(
        account,
        f"grant:{source_ref}",
        Kind.GRANT,
        [
            Leg(bucket=Bucket.ISSUED, amount=-amount, grant=grant),
            Leg(bucket=Bucket.AVAILABLE, amount=amount, grant=grant),
        ],
        reason=reason,
        actor=actor,
    )
    _settle_debt(account, grant)
    return grant


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
    its own or the caller's. Errors: CreditsShort with what is missing, AccountBlocked for debt or dispute.
    """
    if amount == 0:
        return None
    account = _lock(open_account(user=user).pk)
    # What is past its date lapses now, whether or not the sweep has been here.
    _lapse(account, timezone.now())
    existing = CreditHold.objects.filter(work_ref=work_ref, slice=slice_number).first()
    if existing is not None:
        return existing
    if account.debt or account.billing_hold:
        raise AccountBlocked(debt=account.debt)
    if account.available < amount:
        raise CreditsShort(wanted=amount, available=account.available)
    hold = CreditHold.objects.create(
        account=account, work_ref=work_ref, slice=slice_number, label=label, amount=amount, price=price
    )
    parts = list(_take(_spendable(account), amount))
    for grant, part in parts:
        grant.held += part
        grant.save(update_fields=["held"])
        HoldPart.objects.create(hold=hold, grant=grant, amount=part)
    _write(
        account,
        f"hold:{work_ref}:{slice_number}",
        Kind.HOLD,
        [leg for grant, part in parts for leg in _move(Bucket.AVAILABLE, Bucket.HELD, part, grant)],
        reason=label,
    )
    return hold


@transaction.atomic
def settle_hold(*, work_ref: uuid.UUID, charge: int, slice_number: int = 0) -> CreditHold | None:
    """Charge what was delivered of a hold and release the rest; once, whoever comes second changes nothing.

    `charge` is in credits, at most what is held. A part that goes back after its grant has expired becomes a
    goodwill grant of seven days. Effect: capture and release transactions; None when nothing was held.
    Transaction: its own or the caller's (the one that finishes the job). Errors: ValueError for a charge
    beyond the hold.
    """
    hold = CreditHold.objects.filter(work_ref=work_ref, slice=slice_number).first()
    if hold is None:
        return None
    account = _lock(hold.account_id)
    hold.refresh_from_db()
    if hold.state == CreditHold.State.SETTLED:
        return hold
    if not 0 <= charge <= hold.amount:
        raise ValueError(f"A hold of {hold.amount} credits cannot be charged {charge}.")
    captured, released = _split_parts(hold, charge)
    key = f"{work_ref}:{slice_number}"
    _write(
        account,
        f"capture:{key}",
        Kind.CAPTURE,
        [leg for grant, part in captured for leg in _move(Bucket.HELD, Bucket.CONSUMED, part, grant)],
        reason=hold.label,
    )
    _release(account, key, released, hold.label)
    hold.charged = charge
    hold.state = CreditHold.State.SETTLED
    hold.settled_at = timezone.now()
    hold.save(update_fields=["charged", "state", "settled_at"])
    return hold


@transaction.atomic
def capture_slice(
    *,
    user: User,
    work_ref: uuid.UUID,
    slice_number: int,
    next_amount: int,
    label: str,
    price: Price | None = None,
) -> CreditHold | None:
    """Charge a delivered slice whole and hold the next one, in one transaction.

    Effect: as `settle_hold` and `hold_credits`. Errors: as `hold_credits`; then neither happens, and the
    caller settles the delivered slice by itself and stops the work.
    """
    delivered = CreditHold.objects.filter(work_ref=work_ref, slice=slice_number).first()
    if delivered is not None:
        settle_hold(work_ref=work_ref, charge=delivered.amount, slice_number=slice_number)
    return hold_credits(
        user=user,
        work_ref=work_ref,
        amount=next_amount,
        label=label,
        slice_number=slice_number + 1,
        price=price,
    )


@transaction.atomic
def release_holds(*, work_ref: uuid.UUID) -> int:
    """Give back everything that is still held for a piece of work; return how many credits that was.

    Effect: as `settle_hold` with a charge of 0 for every open slice. Transaction: its own or the caller's.
    """
    open_holds = CreditHold.objects.filter(work_ref=work_ref, state=CreditHold.State.HELD)
    released = 0
    for hold in open_holds:
        settled = settle_hold(work_ref=work_ref, charge=0, slice_number=hold.slice)
        released += settled.released if settled else 0
    return released


@transaction.atomic
def expire_grants(*, now: datetime | None = None) -> int:
    """Let lapse what is past its date, except what is held; return how many credits lapsed.

    Effect: one transaction a grant, keyed by what was left, so that a grant whose held part comes back later
    is not expired twice. Transaction: its own.
    """
    now = now or timezone.now()
    accounts = (
        CreditGrant.objects.filter(expires_at__lte=now, remaining__gt=0)
        .values_list("account_id", flat=True)
        .distinct()
    )
    return sum(_lapse(_lock(account_id), now) for account_id in sorted(accounts))


@transaction.atomic
def revise_price(*, price: Price) -> Price:
    """Put a price into force as the next version of its code; the former stays for receipts that name it.

    Effect: the current row of that code steps back, a new row is inserted. Transaction: its own.
    """
    former = Price.objects.select_for_update().filter(code=price.code).order_by("-version").first()
    Price.objects.filter(code=price.code, is_current=True).update(is_current=False)
    return Price.objects.create(
        code=price.code,
        version=former.version + 1 if former else 1,
        label=price.label,
        credits=price.credits,
        per=price.per,
    )


def _lapse(account: CreditAccount, now: datetime) -> int:
    """Let lapse what is past its date of a locked account."""
    lapsed = 0
    for grant in _spendable(account).filter(expires_at__lte=now):
        amount = grant.free
        if amount == 0:
            continue
        grant.remaining -= amount
        grant.save(update_fields=["remaining"])
        legs = _move(Bucket.AVAILABLE, Bucket.EXPIRED, amount, grant)
        _write(account, f"expire:{grant.pk}:{grant.remaining}", Kind.EXPIRE, legs)
        lapsed += amount
    return lapsed


def _lock(account_id: int) -> CreditAccount:
    """Take the account's row lock: a CHECK alone does not stop two readers from both spending."""
    return CreditAccount.objects.select_for_update().get(pk=account_id)


def _spendable(account: CreditAccount) -> models.QuerySet[CreditGrant]:
    return account.grants.filter(remaining__gt=0)


def _take(grants: Iterable[CreditGrant], amount: int) -> Iterable[tuple[CreditGrant, int]]:
    """Spread an amount over grants in their order."""
    for grant in grants:
        part = min(grant.free, amount)
        if part:
            yield grant, part
        amount -= part
        if amount == 0:
            return


Parts = list[tuple[CreditGrant, int]]


def _split_parts(hold: CreditHold, charge: int) -> tuple[Parts, Parts]:
    """Divide a hold's parts into what is charged and what goes back, and lower the grants accordingly."""
    captured: Parts = []
    released: Parts = []
    # What would expire first is charged first, as it was when it was held.
    for part in hold.parts.select_related("grant").order_by("id"):
        taken = min(part.amount, charge)
        charge -= taken
        grant = part.grant
        grant.held -= part.amount
        grant.remaining -= taken
        grant.save(update_fields=["held", "remaining"])
        if taken:
            captured.append((grant, taken))
        if part.amount > taken:
            released.append((grant, part.amount - taken))
    return captured, released


def _release(account: CreditAccount, key: str, parts: Parts, label: str) -> None:
    """Put parts back; those of an expired grant lapse with it and come back as goodwill."""
    now = timezone.now()
    legs = [leg for grant, part in parts for leg in _move(Bucket.HELD, Bucket.AVAILABLE, part, grant)]
    _write(account, f"release:{key}", Kind.RELEASE, legs, reason=label)
    late = sum(part for grant, part in parts if grant.expires_at is not None and grant.expires_at <= now)
    if late:
        _lapse(account, now)
        grant_credits(
            account=account,
            source=Source.GOODWILL,
            source_ref=f"late:{key}",
            amount=late,
            expires_at=now + GOODWILL_AFTER_LATE_RELEASE,
            reason=_("Came back after its period had ended"),
        )


def _settle_debt(account: CreditAccount, grant: CreditGrant) -> None:
    settled = min(account.debt, grant.free)
    if settled == 0:
        return
    grant.remaining -= settled
    grant.save(update_fields=["remaining"])
    _write(
        account,
        f"settle:{grant.source_ref}",
        Kind.SETTLE,
        [Leg(bucket=Bucket.AVAILABLE, amount=-settled, grant=grant), Leg(bucket=Bucket.DEBT, amount=settled)],
    )


def _move(origin: str, target: str, amount: int, grant: CreditGrant) -> list[Leg]:
    return [Leg(bucket=origin, amount=-amount, grant=grant), Leg(bucket=target, amount=amount, grant=grant)]


def _write(
    account: CreditAccount,
    key: str,
    kind: str,
    legs: list[Leg],
    *,
    reason: str = "",
    actor: Actor = SYSTEM,
) -> None:
    """Append a transaction and bring the balances in step with it; without legs nothing happens."""
    if not legs:
        return
    txn = CreditTxn.objects.create(
        key=key,
        kind=kind,
        account=account,
        actor_id=actor.id,
        actor_name=actor.name,
        reason=reason[:200],
    )
    CreditEntry.objects.bulk_create(
        CreditEntry(txn=txn, bucket=leg.bucket, grant=leg.grant, amount=leg.amount) for leg in legs
    )
    account.available += sum(leg.amount for leg in legs if leg.bucket == Bucket.AVAILABLE)
    account.held += sum(leg.amount for leg in legs if leg.bucket == Bucket.HELD)
    # A debt is what the account owes: its bucket runs below zero.
    account.debt -= sum(leg.amount for leg in legs if leg.bucket == Bucket.DEBT)
    account.save(update_fields=["available", "held", "debt"])
