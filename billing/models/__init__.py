"""The tables of billing: what things cost, the ledger, what was paid, what Stripe said, and the sandbox."""

from billing.models.inbox import Alert, EventCursor, Letter, StripeEvent
from billing.models.ledger import (
    CreditAccount,
    CreditEntry,
    CreditGrant,
    CreditHold,
    CreditTxn,
    HoldPart,
)
from billing.models.payments import (
    Checkout,
    Customer,
    Dispute,
    FreeTraining,
    Invoice,
    Payment,
    PersonMark,
    Refund,
    RefundRequest,
    Subscription,
)
from billing.models.prices import FREE_PLAN, HOUSE_PLAN, Coupon, Offer, Pack, Plan, Price, StripeName
from billing.models.sandbox import SandboxAnswer, SandboxDelivery, SandboxObject

__all__ = [
    "FREE_PLAN",
    "HOUSE_PLAN",
    "Alert",
    "Checkout",
    "Coupon",
    "CreditAccount",
    "CreditEntry",
    "CreditGrant",
    "CreditHold",
    "CreditTxn",
    "Customer",
    "Dispute",
    "EventCursor",
    "FreeTraining",
    "HoldPart",
    "Invoice",
    "Letter",
    "Offer",
    "Pack",
    "Payment",
    "PersonMark",
    "Plan",
    "Price",
    "Refund",
    "RefundRequest",
    "SandboxAnswer",
    "SandboxDelivery",
    "SandboxObject",
    "StripeEvent",
    "StripeName",
    "Subscription",
]
