"""The inbox of Stripe's events: stored when they arrive, worked in by whoever has time for it.

Arriving costs one insert, so that Stripe gets its answer at once and a slow day here loses nothing there.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from billing import sync
from billing.exceptions import PaymentRefused
from billing.gateway import Object, get_gateway
from billing.letters import raise_alert
from billing.models import Alert, Customer, EventCursor, StripeEvent
from billing.sync.common import when

logger = logging.getLogger(__name__)

# Who has an event while its worker may still be at it.
_CLAIM = timedelta(minutes=2)
# 10 s, 20 s, ... and at most an hour between tries: about a day in all.
_MOST_ATTEMPTS = 30
_LONGEST_WAIT = timedelta(hours=1)
# Events are listed again from so long before the newest that was listed: they become visible out of order.
_OVERLAP = timedelta(hours=2)
_CURSOR = "events"

State = StripeEvent.State
_wakers: list[Callable[[User | None], None]] = []


def call_on_arrival(wake: Callable[[User | None], None]) -> None:
    """Have this called in the transaction that stores an event, with whom it is about, if that is known."""
    _wakers.append(wake)


def receive_event(payload: bytes, signature: str) -> bool:
    """Verify a webhook and store its event; return whether it is new. Raises BadEvent for anything else.

    Effect: one row, whatever is sent how often. Transaction: its own.
    """
    return store_event(get_gateway().read_event(payload, signature))


@transaction.atomic
def store_event(event: Object) -> bool:
    """Store an event that has not been seen; return whether it was new. Those that say nothing to us too."""
    about = event["data"]["object"]
    is_known = sync.looker_for(event["type"]) is not None
    row, is_new = StripeEvent.objects.get_or_create(
        event_id=event["id"],
        defaults={
            "type": event["type"],
            "object_id": about["id"],
            "payload": event,
            "state": State.PENDING if is_known else State.IGNORED,
            "happened_at": when(event["created"]),
        },
    )
    if is_new and row.state == State.PENDING:
        _wake(_owner(about))
    return is_new


def _wake(owner: User | None) -> None:
    """Call those who want to know. An event is kept even if they fail: the dispatcher's round finds it."""
    for wake in _wakers:
        try:
            with transaction.atomic():
                wake(owner)
        except Exception:
            logger.exception("Nobody was woken for an event; it waits for the dispatcher")


def drain_inbox(*, limit: int = 1000) -> int:
    """Work in the events that wait; return how many were taken. Several may do so at once."""
    for count in range(limit):
        event = _claim()
        if event is None:
            return count
        try:
            work_in(event)
        except Exception as error:
            logger.exception("Event %s could not be worked in", event.event_id)
            _postpone(event, error)
    return limit


def work_in(event: StripeEvent) -> None:
    """Look at an event's object and apply what is seen; the event is done in the same transaction."""
    look = sync.looker_for(event.type)
    apply = look(event.object_id) if look is not None else None
    with transaction.atomic():
        row = StripeEvent.objects.select_for_update().get(pk=event.pk)
        if row.state == State.PENDING:
            is_ours = apply is not None and apply()
            row.state = State.PROCESSED if is_ours else State.IGNORED
            row.processed_at, row.problem = timezone.now(), ""
            row.save(update_fields=["state", "processed_at", "problem"])


def fetch_missed_events(*, now: datetime | None = None) -> int:
    """Store the events whose delivery was lost; return how many there were. Called every hour."""
    now = now or timezone.now()
    cursor = EventCursor.objects.filter(name=_CURSOR).first()
    since = cursor.read_until - _OVERLAP if cursor else now - timedelta(days=29)
    missed = sum(store_event(event) for event in get_gateway().events_since(since))
    EventCursor.objects.update_or_create(name=_CURSOR, defaults={"read_until": now})
    return missed


@transaction.atomic
def _claim() -> StripeEvent | None:
    """Take the oldest event that may be tried now; its worker may die, so it is only lent."""
    now = timezone.now()
    may_start = Q(not_before__isnull=True) | Q(not_before__lte=now)
    waiting = StripeEvent.objects.filter(may_start, state=State.PENDING).order_by("id")
    event = waiting.select_for_update(skip_locked=True).first()
    if event is not None:
        event.attempts += 1
        event.not_before = now + _CLAIM
        event.save(update_fields=["attempts", "not_before"])
    return event


@transaction.atomic
def _postpone(event: StripeEvent, error: Exception) -> None:
    wait = min(timedelta(seconds=10) * 2 ** min(event.attempts - 1, 10), _LONGEST_WAIT)
    detail = error.detail if isinstance(error, PaymentRefused) else str(error)
    has_failed = event.attempts >= _MOST_ATTEMPTS
    StripeEvent.objects.filter(pk=event.pk, state=State.PENDING).update(
        state=State.FAILED if has_failed else State.PENDING,
        not_before=timezone.now() + wait,
        problem=f"{type(error).__name__}: {detail}"[:300],
    )
    if has_failed:
        raise_alert(ref=f"event:{event.event_id}", kind=Alert.Kind.EVENT_FAILED)


def _owner(about: Object) -> User | None:
    """Return whom an event's object is about, as far as that can be said without asking."""
    customer = about.get("customer")
    known = (
        Customer.objects.filter(stripe_id=customer) if isinstance(customer, str) else Customer.objects.none()
    )
    link = known.select_related("account__user").first()
    return link.account.user if link else None
