"""What has happened to somebody's credits, page by page, in their words."""

import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from django.db.models import Exists, Max, Model, OuterRef, Q, QuerySet, Sum

from billing.models import CreditAccount, CreditEntry, CreditGrant, CreditHold, CreditTxn

PAGE_SIZE = 50
T = TypeVar("T")
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, kw_only=True)
class Page(Generic[T]):
    """Some rows; `next_before` is the cursor of the page after it, None on the last."""

    rows: Sequence[T]
    next_before: int | None

    def __iter__(self) -> Iterator[T]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What one piece of work, over all its slices, still holds, was charged and gave back."""

    work_ref: uuid.UUID
    label: str
    began_at: datetime
    ended_at: datetime | None
    held: int
    charged: int
    released: int


@dataclass(frozen=True, kw_only=True)
class Movement:
    """One line of the ledger: what it was, for what, and by how much it changed the two balances."""

    at: datetime
    what: str
    why: str
    available: int
    held: int


def receipts_of(account: CreditAccount, *, before: int | None = None, size: int = PAGE_SIZE) -> Page[Receipt]:
    """Return the newest receipts, or those that follow the cursor. Two queries, however many slices."""
    earlier = CreditHold.objects.filter(work_ref=OuterRef("work_ref"), slice__lt=OuterRef("slice"))
    firsts, next_before = _cut(account.holds.filter(~Exists(earlier)), before, size)
    is_open = Q(state=CreditHold.State.HELD)
    sums = (
        CreditHold.objects.filter(work_ref__in=[hold.work_ref for hold in firsts])
        .order_by()
        .values("work_ref")
        .annotate(
            whole=Sum("amount"),
            still=Sum("amount", filter=is_open, default=0),
            paid=Sum("charged"),
            last=Max("settled_at"),
        )
    )
    of_work = {row["work_ref"]: row for row in sums}
    rows = [_receipt(hold, **of_work[hold.work_ref]) for hold in firsts]
    return Page(rows=rows, next_before=next_before)


def movements_of(
    account: CreditAccount, *, before: int | None = None, size: int = PAGE_SIZE
) -> Page[Movement]:
    """Return the newest lines of the ledger, or those that follow the cursor. Three queries."""
    txns = account.txns.prefetch_related("entries__grant")
    rows, next_before = _cut(txns, before, size)
    return Page(rows=[_movement(txn) for txn in rows], next_before=next_before)


def _cut(rows: QuerySet[Row], before: int | None, size: int) -> tuple[list[Row], int | None]:
    """Return a page of rows, the newest first, and its last row's id when there are more."""
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: size + 1])
    return found[:size], found[size - 1].pk if len(found) > size else None


def _receipt(
    first: CreditHold, *, work_ref: uuid.UUID, whole: int, still: int, paid: int, last: datetime | None
) -> Receipt:
    return Receipt(
        work_ref=work_ref,
        label=first.label,
        began_at=first.created_at,
        ended_at=None if still else last,
        held=still,
        charged=paid,
        released=whole - still - paid,
    )


def _movement(txn: CreditTxn) -> Movement:
    bucket = CreditEntry.Bucket
    sums: Counter[str] = Counter()
    for entry in txn.entries.all():
        sums[entry.bucket] += entry.amount
    grant = next((entry.grant for entry in txn.entries.all() if entry.grant), None)
    why = txn.reason
    if txn.kind == CreditTxn.Kind.GRANT and grant is not None:
        source = str(CreditGrant.Source(grant.source).label)
        why = f"{source}: {why}" if why else source
    return Movement(
        at=txn.created_at,
        what=str(CreditTxn.Kind(txn.kind).label),
        why=why,
        available=sums[bucket.AVAILABLE],
        held=sums[bucket.HELD],
    )
