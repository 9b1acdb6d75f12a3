"""Checkout sessions: a pack is granted when it is paid, a plan when its invoice is."""

import contextlib
import uuid

from django.utils import timezone

from billing import ledger
from billing.gateway import Object, get_gateway
from billing.letters import raise_alert
from billing.models import Alert, Checkout, CreditAccount, CreditGrant, Offer
from billing.sync.common import Apply, account_behind, name_of, new_look, nothing_of_ours, when
from billing.sync.sales import note_payment

State = Checkout.State


def look_at_checkout(session_id: str) -> Apply:
    """See what has become of a checkout session."""
    number = new_look()
    session = get_gateway().checkout(session_id)
    account_id = account_behind(name_of(session["customer"]))
    if account_id is None:
        return nothing_of_ours
    return lambda: _apply(account_id, session, number)


def _apply(account_id: int, session: Object, number: int) -> bool:
    account = ledger.lock_account(account_id)
    attempt = _attempt(account, session)
    if attempt is not None and attempt.look > number:
        return True
    state = _state(session)
    if state == State.PAID and session["mode"] == "payment":
        _grant_pack(account, session)
    if attempt is not None:
        attempt.state, attempt.look, attempt.stripe_id = state, number, session["id"]
        attempt.url = session.get("url") or ""
        attempt.save(update_fields=["state", "look", "stripe_id", "url"])
    return True


def _attempt(account: CreditAccount, session: Object) -> Checkout | None:
    """Return our row of a session. We may have died before we could note the session's id on it."""
    known = Checkout.objects.filter(stripe_id=session["id"]).first()
    if known is not None:
        return known
    with contextlib.suppress(ValueError):
        attempt = uuid.UUID(str((session.get("metadata") or {}).get("attempt", "")))
        return Checkout.objects.filter(pk=attempt, account=account).first()
    return None


def _state(session: Object) -> str:
    if session["status"] == "expired":
        return State.EXPIRED
    if session["status"] != "complete":
        return State.OPEN
    if session["payment_status"] in ("paid", "no_payment_required"):
        return State.PAID
    payment = session.get("payment_intent")
    has_failed = isinstance(payment, dict) and payment["status"] in ("requires_payment_method", "canceled")
    return State.FAILED if has_failed else State.PENDING


def _grant_pack(account: CreditAccount, session: Object) -> None:
    """Grant what was sold: the credits of the offer that the session's price stands for."""
    price = session["line_items"]["data"][0]["price"]["id"]
    offer = Offer.objects.filter(stripe_id=price, kind=Offer.Kind.PACK).first()
    if offer is None:
        # Somebody has paid, and nobody knows for what: a person has to find out.
        raise_alert(ref=f"price:{session['id']}", kind=Alert.Kind.UNKNOWN_PRICE, account=account)
        return
    grant = ledger.add_grant(
        account,
        source=CreditGrant.Source.PACK,
        source_ref=f"cs:{session['id']}",
        amount=offer.credits,
        expires_at=None,
        now=timezone.now(),
        reason=offer.title,
    )
    note_payment(
        account,
        stripe_id=session["id"],
        paid=session.get("payment_intent"),
        grant=grant,
        offer=offer,
        otherwise_at=when(session["created"]),
    )
