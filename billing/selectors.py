"""Questions to the ledger and the price list."""

import uuid
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts.models import User
from billing.exceptions import UnknownPrice
from billing.models import (
    FREE_PLAN,
    HOUSE_PLAN,
    Checkout,
    CreditAccount,
    CreditEntry,
    CreditGrant,
    CreditHold,
    FreeTraining,
    Invoice,
    Pack,
    Plan,
    Price,
)

# Asked with every job that is submitted: the ORM takes longer to build this than PostgreSQL to answer it.
_LIMITS = """
SELECT weight, experiments_at_once, hours_at_a_time, relaxed_queue FROM billing_plan
WHERE slug = coalesce((SELECT plan_id FROM billing_creditaccount WHERE user_id = %s), %s)
"""
# What a grant was bought as.
_BOUGHT = ("payment__offer__plan", "payment__offer__pack")


@dataclass(frozen=True, kw_only=True)
class Quote:
    """What a piece of work will cost, in credits, and the row of the price list that says so."""

    credits: int
    price: Price | None


@dataclass(frozen=True, kw_only=True)
class PlanLimits:
    """What a plan allows: its share of the queue, experiments at once, hours at a time (None: no limit).

    `relaxed_queue`: generations for which the credits are short are made for nothing, behind paid ones.
    """

    weight: int
    experiments_at_once: int
    hours_at_a_time: int | None
    relaxed_queue: bool


@dataclass(frozen=True, kw_only=True)
class Balance:
    """A person's credits as a page shows them. `is_paused`: a payment is disputed, nothing can be spent."""

    available: int
    held: int
    debt: int
    is_paused: bool

    @property
    def rev(self) -> str:
        """What a page that shows the balance compares, to see whether it has changed."""
        return f"{self.available}.{self.held}.{self.debt}.{int(self.is_paused)}"


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
    """Return what the user has, in one query; before the account is opened, what it will open with.

    Credits past their date are not counted, whether or not the sweep has been here.
    """
    past = CreditGrant.objects.filter(
        account=OuterRef("pk"), remaining__gt=F("held"), expires_at__lte=timezone.now()
    )
    lapsed = past.order_by().values("account").annotate(total=Sum(F("remaining") - F("held"))).values("total")
    usable = F("available") - Coalesce(Subquery(lapsed), Value(0))
    account = CreditAccount.objects.filter(user=user).annotate(usable=usable)
    own = {
        f"own_{name}": Subquery(account.values(name)) for name in ("usable", "held", "debt", "billing_hold")
    }
    first = Subquery(Plan.objects.filter(slug=FREE_PLAN).values("credits"))
    found = User.objects.filter(pk=user.pk).annotate(first=first, **own).values("first", *own).get()
    if found["own_usable"] is None:
        return Balance(available=found["first"], held=0, debt=0, is_paused=False)
    return Balance(
        available=found["own_usable"],
        held=found["own_held"],
        debt=found["own_debt"],
        is_paused=found["own_billing_hold"],
    )


def plan_of(user: User) -> Plan:
    """Return the user's plan: Free before the account is opened, the house's for everybody in house mode."""
    return _plans_of(user.pk).get()


def plan_limits(user_id: uuid.UUID) -> PlanLimits:
    """Return what the user's plan allows, in one query; the house's limits in house mode."""
    who, otherwise = (user_id, FREE_PLAN) if settings.CREDITS_ENABLED else (None, HOUSE_PLAN)
    with connection.cursor() as cursor:
        cursor.execute(_LIMITS, [who, otherwise])
        limits = cursor.fetchone()
    if limits is None:
        raise Plan.DoesNotExist(otherwise)
    return PlanLimits(
        weight=limits[0], experiments_at_once=limits[1], hours_at_a_time=limits[2], relaxed_queue=limits[3]
    )


def would_relax(user: User, cost: int) -> bool:
    """Return whether a generation of so many credits would be made for nothing, behind paid ones."""
    if not (settings.CREDITS_ENABLED and cost):
        return False
    account = CreditAccount.objects.filter(user=user, plan__relaxed_queue=True, debt=0, billing_hold=False)
    return account.exists() and balance_of(user).available < cost


def _plans_of(user_id: uuid.UUID) -> QuerySet[Plan]:
    """Return the one plan that holds for a user."""
    if not settings.CREDITS_ENABLED:
        return Plan.objects.filter(slug=HOUSE_PLAN)
    own = CreditAccount.objects.filter(user_id=user_id).values("plan_id")
    return Plan.objects.filter(slug=Coalesce(Subquery(own), Value(FREE_PLAN)))


def receipt_of(work_ref: uuid.UUID) -> QuerySet[CreditHold]:
    """Return the holds of a piece of work in their order: what was held, charged and released."""
    return CreditHold.objects.filter(work_ref=work_ref).order_by("slice")


def free_training_of(user: User) -> bool:
    """Return whether the user has a free AI Training to use now.

    It goes with the payment that gave it: while that is refunded or disputed in full there is none.
    """
    if not settings.CREDITS_ENABLED:
        return False
    whole_grant_taken = Q(payment__grant__clawed__gte=F("payment__grant__amount"))
    offered = FreeTraining.objects.filter(account__user=user, state=FreeTraining.State.OFFERED)
    return offered.exclude(whole_grant_taken).exists()


def first_upgrade_gives_training(user: User, plan: Plan) -> bool:
    """Return whether buying this plan would bring the free training, as far as this account says."""
    return plan.free_training and not FreeTraining.objects.filter(account__user=user).exists()


def unfinished_checkout(account: CreditAccount) -> Checkout | None:
    """Return the newest purchase while its payment is on its way."""
    pending = account.checkouts.filter(state=Checkout.State.PENDING)
    return pending.select_related("offer__plan", "offer__pack").first()


def unpaid_invoice(account: CreditAccount) -> Invoice | None:
    """Return the newest invoice that somebody has to see to themselves."""
    return account.invoices.filter(needs_attention=True).first()


def invoices_of(account: CreditAccount) -> QuerySet[Invoice]:
    """Return the account's invoices, the newest first, each with what went back of it in `refunded_cents`."""
    is_made = ~Q(payments__refunds__status__in=("failed", "canceled"))
    refunded = Sum("payments__refunds__amount_cents", filter=is_made, default=0)
    rows = account.invoices.exclude(status="draft").annotate(refunded_cents=refunded)
    # Grouped rows forget the order of their model.
    return rows.order_by("-issued_at", "-id")


def grants_left(account: CreditAccount) -> QuerySet[CreditGrant]:
    """Return the grants of which something is left, in the order in which they are used up."""
    lasts = Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now()) | Q(held__gt=0)
    return account.grants.filter(lasts, remaining__gt=0).select_related(*_BOUGHT)


def latest_grants(account: CreditAccount, size: int) -> QuerySet[CreditGrant]:
    """Return what came in last: purchases, plans' months and gifts, each with what is taken back of it."""
    return account.grants.select_related(*_BOUGHT).order_by("-created_at", "-id")[:size]


def offered_plans() -> QuerySet[Plan]:
    """Return the plans that can be had."""
    return Plan.objects.filter(is_offered=True)


def offered_packs() -> QuerySet[Pack]:
    """Return the packs that can be had."""
    return Pack.objects.filter(is_offered=True)


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """A plan or pack that would bring what is missing."""

    kind: str
    slug: str
    name: str
    credits: int
    price_cents: int
    currency: str


def offers_that_fit(user: User, missing: int) -> list[Fitting]:
    """Return the cheapest pack and the cheapest larger plan that bring so many credits.

    Where no pack has as many it is the largest one.
    """
    packs = offered_packs().filter(price_cents__gt=0)
    pack = packs.filter(credits__gte=missing).order_by("price_cents").first()
    pack = pack or packs.order_by("-credits").first()
    larger = offered_plans().filter(price_cents__gt=plan_of(user).price_cents, credits__gte=missing)
    found = (("pack", pack), ("plan", larger.order_by("price_cents").first()))
    return [
        Fitting(
            kind=kind,
            slug=sold.slug,
            name=sold.name,
            credits=sold.credits,
            price_cents=sold.price_cents,
            currency=sold.currency,
        )
        for kind, sold in found
        if sold is not None
    ]


def current_prices() -> QuerySet[Price]:
    """Return the price list as it is now."""
    return Price.objects.filter(is_current=True).order_by("credits")


def ledger_differences(account: CreditAccount) -> dict[str, int]:
    """Return by name how far what is kept is from what was written; empty when all of it agrees.

    The account's balances are compared with the sum of the entries, with its grants and with its holds.
    """
    bucket = CreditEntry.Bucket
    account = CreditAccount.objects.get(pk=account.pk)
    of_account = CreditEntry.objects.filter(txn__account=account)
    entries = dict(of_account.values_list("bucket").annotate(total=Sum("amount")))
    grants = account.grants.aggregate(
        remaining=Sum("remaining", default=0), held=Sum("held", default=0), clawed=Sum("clawed", default=0)
    )
    open_holds = Q(state=CreditHold.State.HELD)
    of_grants = CreditEntry.objects.filter(grant__account=account, bucket=bucket.CLAWED)
    clawed = of_grants.aggregate(total=Sum("amount", default=0))["total"]
    holds = account.holds.aggregate(
        held=Sum("amount", filter=open_holds, default=0), charged=Sum("charged", default=0)
    )
    differences = {
        "available": account.available - entries.get(bucket.AVAILABLE, 0),
        "held": account.held - entries.get(bucket.HELD, 0),
        "debt": -account.debt - entries.get(bucket.DEBT, 0),
        "available in grants": account.available - (grants["remaining"] - grants["held"]),
        "held in grants": account.held - grants["held"],
        "held for work": account.held - holds["held"],
        "taken back": clawed - grants["clawed"],
        "charged for work": entries.get(bucket.CONSUMED, 0) - holds["charged"],
    }
    return {name: value for name, value in differences.items() if value}
