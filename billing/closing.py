"""Leaving: what has to be ended at Stripe before an account is erased."""

from accounts.exceptions import NotYetError
from accounts.models import User
from billing.buying import close_checkout
from billing.exceptions import NothingSold, PaymentRefused
from billing.gateway import Gateway, get_gateway
from billing.models import Checkout, CreditAccount
from billing.standing import ENDED_STATUSES
from billing.sync import look_at_subscription
from billing.sync.common import apply_look


def end_purchases(user: User) -> None:
    """End everything that would go on taking a person's money: subscriptions now, open checkouts.

    Stripe is asked which subscriptions there are, so that one whose news never came is found too. Safe to do
    again. Effect: at Stripe, and on our rows; payments, invoices and the ledger stay as they are.
    Transaction: one an object. Errors: PaymentsAway, and NotYetError where a subscription runs and nobody can
    be asked: then nothing may be erased, and this has to be called again.
    """
    account = CreditAccount.objects.filter(user=user).first()
    if account is None or not account.customers.exists():
        return
    try:
        gateway = get_gateway()
    except NothingSold:
        if account.subscriptions.exclude(status__in=ENDED_STATUSES).exists():
            raise NotYetError("a subscription runs, and this studio has no keys to end it") from None
        return
    for attempt in account.checkouts.filter(state=Checkout.State.OPEN):
        close_checkout(attempt)
    for customer in account.customers.all():
        for subscription in gateway.subscriptions_of(customer.stripe_id):
            _end_subscription(gateway, subscription["id"])


def _end_subscription(gateway: Gateway, name: str) -> None:
    try:
        gateway.cancel_subscription(name)
    except PaymentRefused:
        # It may have ended meanwhile; what is not so is found by the caller's next look.
        if gateway.subscription(name)["status"] != "canceled":
            raise
    apply_look(look_at_subscription(name))
