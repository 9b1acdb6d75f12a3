"""What every look at Stripe needs."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from billing import ledger
from billing.gateway import Object, get_gateway
from billing.models import CreditAccount, Customer

# Writes what was seen, inside the caller's transaction; returns whether it was anything of ours.
Apply = Callable[[], bool]
Looker = Callable[[str], Apply]


def new_look() -> int:
    """Number a look before it is made: what was asked for later has seen at least as much."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('billing_look')")
        number: int = cursor.fetchone()[0]
    return number


def nothing_of_ours() -> bool:
    """Apply nothing."""
    return False


def when(seconds: int) -> datetime:
    """Return a time of Stripe's as one of ours."""
    return datetime.fromtimestamp(seconds, tz=UTC)


def name_of(value: Any) -> str:
    """Return the id of something that may have been expanded; empty for nothing."""
    return str(value["id"]) if isinstance(value, dict) else str(value or "")


def account_behind(customer_id: str | None) -> int | None:
    """Return whose customer this is, and remember it; None for one that this studio has not made.

    We may have died between making a customer and noting it: then Stripe knows whose it is.
    """
    if not customer_id:
        return None
    known = Customer.objects.filter(stripe_id=customer_id).first()
    if known is not None:
        return known.account_id
    customer = get_gateway().customer(customer_id)
    about = customer.get("metadata") or {}
    account = str(about.get("account", ""))
    if not account.isdecimal():
        return None
    # An account at Stripe may serve several studios: the user tells ours from theirs.
    user = str(about.get("user", ""))
    owner = CreditAccount.objects.filter(pk=int(account)).select_related("user").first()
    if owner is None or owner.user is None or str(owner.user.pk) != user:
        return None
    link_customer(owner.pk, customer)
    return owner.pk


def apply_look(apply: Apply) -> None:
    """Write what was seen, in a transaction of its own."""
    with transaction.atomic():
        apply()


@transaction.atomic
def link_customer(account_id: int, customer: Object) -> Customer:
    """Remember whose customer this is; one that was linked before, and is not this one, steps back."""
    account = ledger.lock_account(account_id)
    others = Customer.objects.filter(account=account, unlinked_at__isnull=True)
    others.exclude(stripe_id=customer["id"]).update(unlinked_at=timezone.now())
    linked, _is_new = Customer.objects.get_or_create(stripe_id=customer["id"], defaults={"account": account})
    return linked
