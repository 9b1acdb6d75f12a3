"""Buying, step by step: each asks Stripe outside any transaction and writes what came of it in one.

Whoever dies between the two finds the same again: what is made at Stripe has a key that follows from a row of
ours, and whatever was paid arrives by its event too.
"""

import uuid
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from billing import ledger
from billing.exceptions import BillingError, NothingSold, PaymentRefused
from billing.gateway import get_gateway
from billing.models import Checkout, CreditAccount, Customer, Offer, Pack, Plan, Subscription
from billing.services import open_account
from billing.shop import offer_of, portal_configuration
from billing.standing import ENDED_STATUSES
from billing.sync import look_at_checkout, look_at_invoice, look_at_subscription
from billing.sync.common import apply_look, link_customer, name_of


class HasPlanAlready(BillingError):
    """A second subscription would be paid beside the first."""

    def __init__(self) -> None:
        super().__init__(_("You have a plan already. Change it below, or under Manage payment."))


def begin_checkout(
    *, user: User, sold: Plan | Pack, return_to: str, success_url: str, cancel_url: str
) -> Checkout:
    """Open a checkout for a plan or a pack; its `url` is where the user pays.

    An open one of the same is used again, any other is closed first. One that turns out to be paid already
    is returned as it is, without a `url`: nobody shall pay twice because a tab was lost. Effect: a customer
    and a session at Stripe, a row of each here. Errors: HasPlanAlready, PaymentsAway, PaymentRefused.
    """
    account = open_account(user=user)
    offer = offer_of(sold)
    customer = _customer_of(account, user)
    paid = _settle_open(account, offer)
    if paid is not None:
        return paid
    if offer.kind == Offer.Kind.PLAN and current_subscription(account) is not None:
        raise HasPlanAlready
    attempt = _open_attempt(account, offer, return_to)
    if attempt.stripe_id and attempt.url:
        return attempt
    about = {"account": str(account.pk), "attempt": str(attempt.pk)}
    session = get_gateway().create_checkout(
        customer=customer,
        price=offer.stripe_id,
        is_subscription=offer.kind == Offer.Kind.PLAN,
        metadata=about,
        success_url=success_url,
        cancel_url=cancel_url,
        key=f"checkout:{user.pk}:{offer.stripe_id}:{attempt.pk}",
    )
    attempt.stripe_id, attempt.url = session["id"], session["url"] or ""
    attempt.save(update_fields=["stripe_id", "url"])
    return attempt


def sync_checkout(session_id: str) -> None:
    """Bring a session and all that it led to in step: what the page after a payment does, and the event."""
    apply_look(look_at_checkout(session_id))
    session = get_gateway().checkout(session_id)
    if session.get("subscription"):
        apply_look(look_at_subscription(session["subscription"]))
    if session.get("invoice"):
        apply_look(look_at_invoice(session["invoice"]))


def close_checkout(attempt: Checkout) -> None:
    """Close an attempt at Stripe too. One that was paid meanwhile is brought in step instead."""
    if not attempt.stripe_id:
        Checkout.objects.filter(pk=attempt.pk, state=Checkout.State.OPEN).update(state=Checkout.State.EXPIRED)
        return
    try:
        get_gateway().expire_checkout(attempt.stripe_id)
    except PaymentRefused:
        sync_checkout(attempt.stripe_id)
    else:
        apply_look(look_at_checkout(attempt.stripe_id))


def current_subscription(account: CreditAccount) -> Subscription | None:
    """Return the subscription that the account has, be it paid or not; None after it has ended."""
    not_ended = account.subscriptions.exclude(status__in=ENDED_STATUSES)
    return not_ended.select_related("plan", "next_plan").order_by("-is_live", "-id").first()


def upgrade_plan(*, user: User, plan: Plan) -> Subscription:
    """Change to a dearer plan now: a whole new period is paid in full and brings its credits.

    Credits of the former period keep their date. A payment that needs the user's bank leaves everything as
    it was until it is made: `has_pending_update`. Errors: NothingSold when it is no upgrade, PaymentsAway,
    PaymentRefused.
    """
    account = open_account(user=user)
    subscription = current_subscription(account)
    offer = offer_of(plan)
    if subscription is None or subscription.status not in ("active", "trialing"):
        raise NothingSold
    if subscription.price_cents >= offer.price_cents or subscription.cancel_at is not None:
        raise NothingSold
    gateway = get_gateway()
    seen = gateway.subscription(subscription.stripe_id)
    # Another tab may have been faster: then there is nothing to be asked for any more.
    if seen["items"]["data"][0]["price"]["id"] != offer.stripe_id:
        if seen.get("schedule"):
            gateway.release_schedule(name_of(seen["schedule"]))
        # Two presses see the same newest invoice and ask for the same upgrade; after a payment that failed
        # there is another invoice, and it is another try.
        seen = gateway.upgrade(
            subscription.stripe_id,
            item=subscription.item_id,
            price=offer.stripe_id,
            key=f"upgrade:{subscription.stripe_id}:{offer.stripe_id}:{name_of(seen.get('latest_invoice'))}",
        )
    apply_look(look_at_subscription(subscription.stripe_id))
    if seen.get("latest_invoice"):
        apply_look(look_at_invoice(name_of(seen["latest_invoice"])))
    subscription.refresh_from_db()
    return subscription


def open_portal(*, user: User, return_url: str) -> str:
    """Return the address of the page on which the user manages card, plan and invoices.

    Errors: NothingSold for somebody who never bought anything, PaymentsAway, PaymentRefused.
    """
    account = open_account(user=user)
    customer = account.customers.filter(unlinked_at__isnull=True).first()
    if customer is None:
        raise NothingSold
    subscription = current_subscription(account)
    plan = subscription.plan if subscription else None
    configuration = portal_configuration(plan) if plan and plan.price_cents else None
    portal = get_gateway().create_portal(
        customer=customer.stripe_id, configuration=configuration, return_url=return_url
    )
    return str(portal["url"])


def _customer_of(account: CreditAccount, user: User) -> str:
    linked = account.customers.filter(unlinked_at__isnull=True).first()
    if linked is not None:
        return linked.stripe_id
    former = Customer.objects.filter(account=account).count()
    customer = get_gateway().create_customer(
        email=user.email,
        account=account.pk,
        user=str(user.pk),
        # After a customer was deleted the former key would bring the deleted one back.
        key=f"customer:user:{user.pk}" + (f":{former}" if former else ""),
    )
    return link_customer(account.pk, customer).stripe_id


def _settle_open(account: CreditAccount, offer: Offer) -> Checkout | None:
    """Close the open attempt, unless it is for this offer and can still be paid.

    It may have been paid already in another tab, and the news of it not be here: so Stripe is asked, and then
    it is returned.
    """
    day = timezone.now() - timedelta(hours=23)
    for attempt in account.checkouts.filter(state=Checkout.State.OPEN):
        if attempt.offer_id != offer.pk or attempt.created_at < day:
            close_checkout(attempt)
        elif attempt.stripe_id:
            sync_checkout(attempt.stripe_id)
            attempt.refresh_from_db()
            if attempt.state in (Checkout.State.PAID, Checkout.State.PENDING):
                return attempt
    return None


@transaction.atomic
def _open_attempt(account: CreditAccount, offer: Offer, return_to: str) -> Checkout:
    """Return the account's open attempt, made when there is none: two clicks at once are one attempt."""
    ledger.lock_account(account.pk)
    attempt, is_new = Checkout.objects.get_or_create(
        account=account,
        state=Checkout.State.OPEN,
        defaults={"id": uuid.uuid4(), "offer": offer, "return_to": return_to},
    )
    if attempt.offer_id != offer.pk:
        # Somebody else's click was faster, with another choice.
        raise NothingSold
    if not is_new and attempt.return_to != return_to:
        attempt.return_to = return_to
        attempt.save(update_fields=["return_to"])
    return attempt
