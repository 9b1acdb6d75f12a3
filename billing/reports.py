"""The owner's questions: how much was sold, how much is owed in credits, what failed, what was given back."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Q, Sum
from django.db.models.functions import TruncMonth
from django.utils import timezone

from billing.clawback import FAILED_REFUNDS
from billing.models import (
    Alert,
    Checkout,
    CreditAccount,
    CreditEntry,
    CreditGrant,
    Dispute,
    Invoice,
    Payment,
    Refund,
    RefundRequest,
    StripeEvent,
)

_MONTHS = 12


@dataclass(frozen=True, kw_only=True)
class MonthSold:
    """What one month brought in one currency, in cents; `refunded` and `withdrawn` went back of it."""

    month: datetime
    currency: str
    payments: int
    sold: int
    refunded: int
    withdrawn: int

    @property
    def kept(self) -> int:
        """What is left of it."""
        return self.sold - self.refunded - self.withdrawn


def overview() -> dict[str, Any]:
    """Return the answers, as the page shows them."""
    return {
        "months": months_sold(),
        "owed": credits_owed(),
        "failed": what_failed(),
        "given_back": credits_given_back(),
    }


def months_sold() -> list[MonthSold]:
    """Return the last twelve months, the newest first. What went back counts in the month of its payment."""
    of_month = Payment.objects.annotate(month=TruncMonth("paid_at")).order_by()
    sold = of_month.values("month", "currency").annotate(sold=Sum("amount_cents"), payments=Count("pk"))
    refunds = _by_month(Refund.objects.exclude(status__in=FAILED_REFUNDS), "amount_cents")
    withdrawn = _by_month(Dispute.objects.all(), "withdrawn_cents")
    rows = sorted(sold, key=lambda row: row["month"], reverse=True)[: _MONTHS * 3]
    return [
        MonthSold(
            month=row["month"],
            currency=row["currency"],
            payments=row["payments"],
            sold=row["sold"],
            refunded=refunds.get((row["month"], row["currency"]), 0),
            withdrawn=withdrawn.get((row["month"], row["currency"]), 0),
        )
        for row in rows
    ]


def credits_owed() -> dict[str, Any]:
    """Return the credits that people still have, by where they came from; what they paid for is a liability.

    `worth_cents` is what was paid for the unspent share of bought credits, by currency.
    """
    now = timezone.now()
    usable = CreditGrant.objects.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now), remaining__gt=0)
    by_source = usable.order_by().values("source").annotate(credits=Sum("remaining")).order_by("source")
    share = F("payment__amount_cents") * F("remaining") / F("amount")
    paid = usable.filter(payment__isnull=False).order_by().values("payment__currency")
    worth = {row["payment__currency"]: row["cents"] for row in paid.annotate(cents=Sum(share))}
    debts = CreditAccount.objects.filter(debt__gt=0).aggregate(
        total=Sum("debt", default=0), people=Count("pk")
    )
    labels = dict(CreditGrant.Source.choices)
    return {
        "by_source": [(labels[row["source"]], row["credits"]) for row in by_source],
        "credits": sum(row["credits"] for row in by_source),
        "worth_cents": worth,
        "debt": debts["total"],
        "debtors": debts["people"],
    }


def what_failed() -> dict[str, int]:
    """Return how much there is to look at, by name."""
    return {
        "unpaid_invoices": Invoice.objects.filter(needs_attention=True).count(),
        "failed_checkouts": Checkout.objects.filter(state=Checkout.State.FAILED).count(),
        "failed_refunds": RefundRequest.objects.filter(state=RefundRequest.State.FAILED).count(),
        "open_disputes": Dispute.objects.filter(is_open=True).count(),
        "failed_events": StripeEvent.objects.filter(state=StripeEvent.State.FAILED).count(),
        "open_alerts": Alert.objects.filter(resolved_at__isnull=True).count(),
    }


def credits_given_back() -> dict[str, int]:
    """Return the credits that went to people without a payment, or were taken from them, over all time."""
    entries = CreditEntry.objects.order_by().values("bucket").annotate(total=Sum("amount"))
    totals = {
        row["bucket"]: row["total"] for row in entries.filter(bucket__in=("clawed", "waived", "expired"))
    }
    goodwill = CreditGrant.objects.filter(source=CreditGrant.Source.GOODWILL)
    return {
        "goodwill": goodwill.aggregate(total=Sum("amount", default=0))["total"],
        "of_it_for_work": goodwill.filter(source_ref__startswith="jobrefund:").aggregate(
            total=Sum("amount", default=0)
        )["total"],
        "taken_back": totals.get("clawed", 0),
        "let_off": -totals.get("waived", 0),
        "expired": totals.get("expired", 0),
    }


def _by_month(rows: Any, field: str) -> dict[tuple[datetime, str], int]:
    grouped = rows.annotate(month=TruncMonth("payment__paid_at")).order_by()
    sums = grouped.values("month", "payment__currency").annotate(total=Sum(field))
    return {(row["month"], row["payment__currency"]): row["total"] for row in sums}
