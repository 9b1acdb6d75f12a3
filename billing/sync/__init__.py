"""Bringing our rows in step with Stripe's objects, from the objects alone.

An event says only that something about an object has changed. So whoever hears of it (the inbox, the page
after a payment, the nightly sweep) does the same: looks at the object, outside any transaction, and applies
what was seen in one. Looks are numbered before they are made; an older one never undoes a newer one. What an
object leads to is written under a reference of that object (`cs:`, `inv:`), so it happens once however often
and in whatever order the news comes.
"""

from collections.abc import Callable

from billing.sync.checkouts import look_at_checkout
from billing.sync.common import Apply, Looker
from billing.sync.customers import look_at_customer
from billing.sync.invoices import look_at_invoice
from billing.sync.payments import (
    look_at_charge,
    look_at_dispute,
    look_at_payment,
    look_at_refund,
    look_at_warning,
)
from billing.sync.subscriptions import look_at_subscription

__all__ = [
    "Apply",
    "look_at_checkout",
    "look_at_invoice",
    "look_at_payment",
    "look_at_subscription",
    "looker_for",
]

# The first that an event's type begins with.
_LOOKERS: tuple[tuple[str, Looker], ...] = (
    ("checkout.session.", look_at_checkout),
    ("invoice.", look_at_invoice),
    ("customer.subscription.", look_at_subscription),
    ("customer.deleted", look_at_customer),
    ("refund.", look_at_refund),
    ("charge.refund.", look_at_refund),
    ("charge.refunded", look_at_charge),
    ("charge.dispute.", look_at_dispute),
    ("radar.early_fraud_warning.", look_at_warning),
)


def looker_for(event_type: str) -> Callable[[str], Apply] | None:
    """Return what looks at the object of such an event; None for events that change nothing here."""
    return next((looker for prefix, looker in _LOOKERS if event_type.startswith(prefix)), None)
