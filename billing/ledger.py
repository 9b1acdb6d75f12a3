"""How the ledger is written: locks, entries, the order of consumption. Only `billing.services` calls this.

Every function here works on an account whose row the caller has locked in the running transaction, and
brings that object up to date with what it writes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F

from accounts.models import User
from billing.exceptions import AccountBlocked, ReferenceReused
from billing.models import CreditAccount, CreditEntry, CreditGrant, CreditHold, CreditTxn

Bucket = CreditEntry.Bucket
Kind = CreditTxn.Kind
# So many credits of this grant.
Parts = list[tuple[CreditGrant, int]]


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who moved credits, as text: the ledger outlives the person."""

    id: str = ""
    name: str = "system"

    @classmethod
    def of(cls, user: User) -> Self:
        """Name a member of staff by what others see of them; their address stays out of the ledger."""
        return cls(id=str(user.pk), name=user.public_name)


SYSTEM = Actor()


@dataclass(frozen=True, kw_only=True)
class Leg:
    """One entry to be: credits into (or out of) a bucket, of a grant."""

    bucket: str
    amount: int
    grant: CreditGrant | None = None


def lock_account(account_id: int) -> CreditAccount:
    """Take the account's row lock: a CHECK alone does not stop two readers from both spending.

    Whoever needs the lock of a job too takes that first; nobody takes two accounts' locks at once.
    """
    return CreditAccount.objects.select_for_update(no_key=True).get(pk=account_id)


def refuse_blocked(account: CreditAccount) -> None:
    """Raise AccountBlocked while a debt or a payment under dispute blocks spending."""
    if account.debt or account.billing_hold:
        raise AccountBlocked(debt=account.debt)


def record(
    account: CreditAccount,
    *,
    key: str,
    kind: str,
    legs: list[Leg],
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


def move(origin: str, target: str, parts: Parts) -> list[Leg]:
    """Return the legs that move parts from one bucket to another."""
    return [
        leg
        for grant, part in parts
        for leg in (
            Leg(bucket=origin, amount=-part, grant=grant),
            Leg(bucket=target, amount=part, grant=grant),
        )
    ]


def add_grant(
    account: CreditAccount,
    *,
    source: str,
    source_ref: str,
    amount: int,
    expires_at: datetime | None,
    now: datetime,
    reason: str = "",
    actor: Actor = SYSTEM,
) -> CreditGrant:
    """Add credits, once per `source_ref`; a debt is settled from them first.

    Raises ReferenceReused when the reference stands for another account or amount.
    """
    existing = CreditGrant.objects.filter(source_ref=source_ref).first()
    if existing is not None:
        if (existing.account_id, existing.amount) != (account.pk, amount):
            raise ReferenceReused(source_ref)
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
    key = f"grant:{source_ref}"
    legs = move(Bucket.ISSUED, Bucket.AVAILABLE, [(grant, amount)])
    record(account, key=key, kind=Kind.GRANT, legs=legs, reason=reason, actor=actor)
    if account.debt:
        settle_debt(account, cause=key, now=now)
        grant.refresh_from_db(fields=["remaining"])
    return grant


def take_parts(account: CreditAccount, amount: int) -> Parts:
    """Choose the grants that so many credits come out of, in the order of consumption."""
    return list(_spread(_spendable(account), amount))


def split_parts(hold: CreditHold, charge: int) -> tuple[Parts, Parts]:
    """Divide a hold's parts into what is charged and what goes back, and lower the grants accordingly."""
    captured: Parts = []
    released: Parts = []
    # What would be consumed first is charged first, as it was when it was held.
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


def lapse(account: CreditAccount, now: datetime) -> int:
    """Let what is past its date lapse, except what is held; return how many credits lapsed."""
    lapsed = 0
    for grant in _spendable(account).filter(expires_at__lte=now):
        amount = grant.free
        grant.remaining -= amount
        grant.save(update_fields=["remaining"])
        # Keyed by what is left: a held part that comes back later lapses in a transaction of its own.
        key = f"expire:{grant.pk}:{grant.remaining}"
        legs = move(Bucket.AVAILABLE, Bucket.EXPIRED, [(grant, amount)])
        record(account, key=key, kind=Kind.EXPIRE, legs=legs)
        lapsed += amount
    return lapsed


def settle_debt(account: CreditAccount, *, cause: str, now: datetime) -> None:
    """Pay what the account owes out of what is free, so that a debt and free credits never stand together."""
    if account.debt == 0:
        return
    lapse(account, now)
    parts = take_parts(account, account.debt)
    for grant, part in parts:
        grant.remaining -= part
        grant.save(update_fields=["remaining"])
    legs = [Leg(bucket=Bucket.AVAILABLE, amount=-part, grant=grant) for grant, part in parts]
    if legs:
        legs.append(Leg(bucket=Bucket.DEBT, amount=sum(part for _grant, part in parts)))
    record(account, key=f"settle:{cause}", kind=Kind.SETTLE, legs=legs)


def _spendable(account: CreditAccount) -> models.QuerySet[CreditGrant]:
    """Return the account's grants of which something is free, first to be consumed first."""
    return account.grants.filter(remaining__gt=F("held"))


def _spread(grants: Iterable[CreditGrant], amount: int) -> Iterable[tuple[CreditGrant, int]]:
    for grant in grants:
        part = min(grant.free, amount)
        yield grant, part
        amount -= part
        if amount == 0:
            return
