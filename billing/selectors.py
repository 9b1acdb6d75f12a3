"""Questions to the ledger and the price list."""

import uuid
from dataclasses import dataclass

from django.conf import settings
from django.db.models import QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from accounts.models import User
from billing.exceptions import UnknownPrice
from billing.models import FREE_PLAN, HOUSE_PLAN, CreditAccount, CreditEntry, CreditHold, Plan, Price


@dataclass(frozen=True, kw_only=True)
class Quote:
    """What a piece of work will cost, in credits, and the row of the price list that says so."""

    credits: int
    price: Price | None


@dataclass(frozen=True, kw_only=True)
class PlanLimits:
    """What a plan allows: its share of the queue, experiments at once, hours at a time (None: no limit)."""

    weight: int
    experiments_at_once: int
    hours_at_a_time: int | None


@dataclass(frozen=True, kw_only=True)
class Balance:
    """A person's credits as a page shows them."""

    available: int
    held: int
    debt: int


def quote_price(code: str, quantity: int = 1) -> Quote:
    """Return the price of `quantity` of the work now. In house mode (CREDITS=off) everything costs nothing.

    Raises UnknownPrice when the price list has no such row: work is never given away by a missing row.
    """
    if not settings.CREDITS_ENABLED:
        return Quote(credits=0, price=None)
    price = Price.objects.filter(code=code, is_current=True).first()
    if price is None:
        raise UnknownPrice(code)
    return Quote(credits=price.for_quantity(quantity), price=price)


def balance_of(user: User) -> Balance:
    """Return what the user has; zeros before the account is opened."""
    account = CreditAccount.objects.filter(user=user).first()
    if account is None:
        return Balance(available=0, held=0, debt=0)
    return Balance(available=account.available, held=account.held, debt=account.debt)


def plan_of(user: User) -> Plan:
    """Return the user's plan: Free before the account is opened, the house's for everybody in house mode."""
    return _plans_of(user.pk).get()


def plan_limits(user_id: uuid.UUID) -> PlanLimits:
    """Return what the user's plan allows, in one query; the house's limits in house mode."""
    weight, at_once, hours = (
        _plans_of(user_id).values_list("weight", "experiments_at_once", "hours_at_a_time").get()
    )
    return PlanLimits(weight=weight, experiments_at_once=at_once, hours_at_a_time=hours)


def _plans_of(user_id: uuid.UUID) -> QuerySet[Plan]:
    """Return the one plan that holds for a user."""
    if not settings.CREDITS_ENABLED:
        return Plan.objects.filter(slug=HOUSE_PLAN)
    own = CreditAccount.objects.filter(user_id=user_id).values("plan_id")
    return Plan.objects.filter(slug=Coalesce(Subquery(own), Value(FREE_PLAN)))


def receipt_of(work_ref: uuid.UUID) -> QuerySet[CreditHold]:
    """Return the holds of a piece of work in their order: what was held, charged and released."""
    return CreditHold.objects.filter(work_ref=work_ref).order_by("slice")


def ledger_differences(account: CreditAccount) -> dict[str, int]:
    """Return by bucket how far the kept balances are from the sum of the entries; empty when they agree."""
    sums = dict(
        CreditEntry.objects.filter(txn__account=account)
        .values_list("bucket")
        .annotate(total=Sum("amount"))
        .values_list("bucket", "total")
    )
    bucket = CreditEntry.Bucket
    kept = {bucket.AVAILABLE: account.available, bucket.HELD: account.held, bucket.DEBT: -account.debt}
    differences = {str(name): value - sums.get(name, 0) for name, value in kept.items()}
    return {name: value for name, value in differences.items() if value}
