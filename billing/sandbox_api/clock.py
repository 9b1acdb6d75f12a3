"""Letting time pass: instead of the clock going forward, everything in billing that has a date goes back.

So no code has to ask a clock of its own, and credits expire with the sweep that lets them expire for real.
"""

from datetime import timedelta
from typing import Any

from django.db import models

from billing.models import (
    Checkout,
    CreditGrant,
    Invoice,
    Payment,
    SandboxObject,
    StripeEvent,
    Subscription,
)

_TIMES = {
    "created",
    "current_period_start",
    "current_period_end",
    "start",
    "end",
    "start_date",
    "expires_at",
    "cancel_at",
    "canceled_at",
    "ended_at",
    "paid_at",
    "finalized_at",
}
_COLUMNS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (CreditGrant, ("expires_at", "created_at")),
    (Subscription, ("period_start", "period_end", "cancel_at")),
    (Invoice, ("issued_at",)),
    (Payment, ("paid_at",)),
    (Checkout, ("created_at",)),
    (StripeEvent, ("happened_at",)),
)


def let_days_pass(days: int) -> None:
    """Move every date of the sandbox, and of what it led to, back by so many days."""
    for row in SandboxObject.objects.iterator(chunk_size=500):
        row.data = _earlier(row.data, days * 86400)
        row.save(update_fields=["data"])
    for model, columns in _COLUMNS:
        moved = {column: models.F(column) - timedelta(days=days) for column in columns}
        model.objects.update(**moved)


def _earlier(value: Any, seconds: int) -> Any:
    if isinstance(value, list):
        return [_earlier(part, seconds) for part in value]
    if not isinstance(value, dict):
        return value
    return {
        name: part - seconds
        if name in _TIMES and isinstance(part, int) and not isinstance(part, bool)
        else _earlier(part, seconds)
        for name, part in value.items()
    }
