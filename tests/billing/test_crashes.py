"""Somebody pulls the plug at every call to Stripe and around every commit; who comes back finds no harm."""

import contextlib
import uuid

import pytest
from django.db.transaction import Atomic

from billing import buying, inbox, refunds, sandbox
from billing.models import Customer, Payment, RefundRequest, StripeEvent
from billing.reconcile import find_differences
from billing.selectors import ledger_differences
from tests.billing.journey import account_of, begin, objects, pay

pytestmark = pytest.mark.django_db


class Crash(BaseException):
    """Nobody may catch it, as nobody catches a power cut."""


class Plug:
    """Counts something, and is pulled at one of them: before it is done, or after."""

    def __init__(self, monkeypatch, at=None, when="before"):
        self.count, self.at, self.when = 0, at, when
        self.is_armed = False
        self.install(monkeypatch)

    def around(self, do, give_up):
        if not self.is_armed:
            return do()
        number, self.count = self.count, self.count + 1
        if number == self.at and self.when == "before":
            self.is_armed = False
            give_up()
            raise Crash
        done = do()
        if number == self.at:
            self.is_armed = False
            raise Crash
        return done


class CallPlug(Plug):
    def install(self, monkeypatch):
        real = sandbox.FakeStripe.request

        def request(stripe, *args, **kwargs):
            return self.around(lambda: real(stripe, *args, **kwargs), lambda: None)

        monkeypatch.setattr(sandbox.FakeStripe, "request", request)


class CommitPlug(Plug):
    def install(self, monkeypatch):
        real = Atomic.__exit__

        def leave(block, *error):
            # One without a savepoint is a part of what it stands in, here of the test itself.
            if error[0] is not None or not block.savepoint:
                return real(block, *error)
            return self.around(lambda: real(block, *error), lambda: real(block, Crash, Crash(), None))

        monkeypatch.setattr(Atomic, "__exit__", leave)


def purchase(user, staff, token):
    """Buy a pack, come back to the page, be refunded in part: each as its view does it."""
    if not Payment.objects.exists():
        attempt = begin(user, pack="small")
        with contextlib.suppress(sandbox.RequestError):
            pay(attempt)
        buying.sync_checkout(attempt.stripe_id)
    inbox.drain_inbox()
    payment = Payment.objects.get()
    refunds.request_refund(payment=payment, cents=600, reason="asked", staff=staff, token=token)
    inbox.drain_inbox()


def crash_and_come_back(plug, user, staff):
    token = uuid.uuid4()
    # Opening an account joins its caller's transaction, which is here the test's.
    account_of(user)
    plug.is_armed = True
    with contextlib.suppress(Crash):
        purchase(user, staff, token)
    plug.is_armed = False
    purchase(user, staff, token)
    inbox.fetch_missed_events()
    StripeEvent.objects.update(not_before=None)
    inbox.drain_inbox()
    refunds.send_waiting_refunds()
    account = account_of(user)
    assert (account.available, account.debt) == (125 + 250, 0)
    assert ledger_differences(account) == {}
    assert len(objects("customer")) == Customer.objects.count() == 1
    assert len(objects("refund")) == 1
    assert Payment.objects.count() == 1
    assert RefundRequest.objects.get().state == "done"
    assert find_differences() == []


# So many calls and commits there are in a purchase with its refund; the last test looks that it is so.
CALLS, COMMITS = 24, 95
WHEN = ("before", "after")


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("at", range(0, CALLS, 3))
def test_a_crash_at_a_call(owner, staff, monkeypatch, at, when):
    crash_and_come_back(CallPlug(monkeypatch, at=at, when=when), owner, staff)


@pytest.mark.parametrize("at", range(1, COMMITS, 9))
def test_a_crash_at_a_commit(owner, staff, monkeypatch, at):
    crash_and_come_back(CommitPlug(monkeypatch, at=at, when=WHEN[at % 2]), owner, staff)


@pytest.mark.chaos
@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize(
    ("plug", "at"),
    [(CallPlug, at) for at in range(CALLS)] + [(CommitPlug, at) for at in range(COMMITS)],
)
def test_a_crash_at_each_of_them(owner, staff, monkeypatch, plug, at, when):
    crash_and_come_back(plug(monkeypatch, at=at, when=when), owner, staff)


@pytest.mark.parametrize(("plug", "most"), [(CallPlug, CALLS), (CommitPlug, COMMITS)])
def test_all_of_them_are_tried(owner, staff, monkeypatch, plug, most):
    counting = plug(monkeypatch)
    account_of(owner)
    counting.is_armed = True
    purchase(owner, staff, uuid.uuid4())
    counting.is_armed = False
    assert most - 10 < counting.count <= most
