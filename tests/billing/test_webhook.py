"""The webhook: what is let in, once, in any order, by however many at once; and what is not."""

import json
import random
import time
from functools import partial

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.urls import reverse

from bench.work.webhooks import mutated
from billing import inbox, sandbox
from billing.models import CreditAccount, SandboxObject, StripeEvent
from billing.sandbox import sign
from billing.sandbox_api import store
from billing.selectors import ledger_differences
from tests.billing.journey import account_of, begin, buy, pay
from tests.billing.test_ledger_concurrency import at_once, new_user

WEBHOOK = reverse("billing:webhook")


def send(payload, signature, client=None):
    return (client or Client()).post(
        WEBHOOK, payload, content_type="application/json", headers={"Stripe-Signature": signature}
    )


def event_like(**changes):
    """The body of an event with something else in it."""
    about = {"id": "evt_1", "object": "event", "type": "x", "livemode": False, "created": 1}
    return json.dumps({**about, "data": {"object": {"id": "y"}}, **changes})


@pytest.fixture
def paid_event(owner, monkeypatch):
    """An event of a paid pack that was not delivered yet."""
    monkeypatch.setattr(sandbox, "deliver", lambda: None)
    pay(begin(owner, pack="small"))
    return SandboxObject.objects.get(kind="event", data__type="checkout.session.completed")


@pytest.mark.django_db
class TestOne:
    def test_it_is_stored_and_worked_in_later(self, owner, paid_event):
        assert send(*sandbox.signed(paid_event)).status_code == 200
        event = StripeEvent.objects.get()
        assert (event.state, event.type) == ("pending", "checkout.session.completed")
        assert account_of(owner).available == 125
        inbox.drain_inbox()
        assert account_of(owner).available == 625

    def test_a_kind_that_says_nothing_to_us_is_taken_and_ignored(self):
        event = store.emit("product.created", {"id": "prod_1"})
        assert send(*sandbox.signed(event)).status_code == 200
        assert StripeEvent.objects.get(event_id=event.pk).state == "ignored"

    @pytest.mark.parametrize(
        "forge",
        [
            lambda payload: "",
            lambda payload: "t=1,v1=00",
            lambda payload: sign(payload, secret="whsec_other"),
            lambda payload: sign(payload, at=int(time.time()) - 301),
            lambda payload: sign(payload, at=int(time.time()) + 301),
            lambda payload: sign(payload + " "),
            lambda payload: "t=1,v1=\u00e9",
        ],
        ids=["none", "nonsense", "other secret", "too old", "too new", "other body", "not ascii"],
    )
    def test_what_is_not_signed_now_by_stripe_is_400_and_changes_nothing(self, owner, paid_event, forge):
        """Abuse case 55."""
        payload = sandbox.signed(paid_event)[0].decode()
        before = StripeEvent.objects.count()
        assert send(payload, forge(payload)).status_code == 400
        assert StripeEvent.objects.count() == before
        assert account_of(owner).available == 125

    @pytest.mark.parametrize(
        "payload",
        [
            "",
            "null",
            "[]",
            "7",
            '"event"',
            "{}",
            "{" * 2000,
            "[" * 100_000,
            '{"object": "event"}',
            event_like(livemode=True),
            event_like(id=7),
            event_like(id="x" * 200),
            event_like(id="evt\0"),
            event_like(id="\ud800"),
            event_like(more=float("nan")),
            event_like(created=1e300),
            event_like(data={"object": {}}),
        ],
    )
    def test_signed_nonsense_is_400(self, payload):
        assert send(payload, sign(payload)).status_code == 400
        assert not StripeEvent.objects.exists()

    def test_fuzz_finds_no_500(self, paid_event):
        """`python -m bench.payments` does it 5,000 times."""
        chance = random.Random(55)
        payload = sandbox.signed(paid_event)[0].decode()
        statuses = {send(*mutated(payload, chance)).status_code for _ in range(300)}
        assert statuses <= {200, 400}
        inbox.drain_inbox()

    def test_other_methods_and_house_mode(self, settings):
        assert Client().get(WEBHOOK).status_code == 405
        settings.PAYMENTS = "off"
        assert Client().post(WEBHOOK).status_code == 404

    def test_an_event_that_fails_waits_and_is_given_up_with_an_alert(self, owner, paid_event, monkeypatch):
        send(*sandbox.signed(paid_event))
        monkeypatch.setattr(inbox, "work_in", fail)
        inbox.drain_inbox()
        event = StripeEvent.objects.get()
        assert (event.state, event.attempts) == ("pending", 1)
        assert event.problem.startswith("RuntimeError")
        StripeEvent.objects.update(attempts=29, not_before=None)
        inbox.drain_inbox()
        assert StripeEvent.objects.get().state == "failed"
        monkeypatch.undo()
        assert inbox.drain_inbox() == 0

    def test_what_was_never_delivered_is_found_by_the_list_of_events(self, owner, paid_event):
        assert inbox.fetch_missed_events() > 0
        inbox.drain_inbox()
        assert account_of(owner).available == 625
        assert inbox.fetch_missed_events() == 0


def fail(_event):
    raise RuntimeError("broken on purpose")


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
class TestMany:
    """On real PostgreSQL with real threads."""

    def test_one_event_twenty_times_at_once_is_one_credit(self, monkeypatch):
        """Abuse case 56."""
        user = new_user()
        monkeypatch.setattr(sandbox, "deliver", lambda: None)
        pay(begin(user, pack="small"))
        event = SandboxObject.objects.get(kind="event", data__type="checkout.session.completed")
        payload, signature = sandbox.signed(event)
        answers = at_once(lambda: send(payload, signature).status_code, threads=20)
        assert answers == [200] * 20
        at_once(inbox.drain_inbox, threads=6)
        account = account_of(user)
        assert (account.available, account.grants.filter(source="pack").count()) == (625, 1)
        assert ledger_differences(account) == {}

    def test_the_page_and_the_event_at_once_grant_once(self, monkeypatch):
        from billing.buying import sync_checkout

        user = new_user()
        attempt = begin(user, plan="standard")
        pay(attempt)
        acts = [inbox.drain_inbox, partial(sync_checkout, attempt.stripe_id)] * 3
        at_once(lambda: acts.pop()(), threads=6)  # noqa: PLW0108 -- each takes another
        inbox.drain_inbox()
        account = account_of(user)
        assert (account.available, account.plan_id) == (750, "standard")
        assert ledger_differences(account) == {}

    def test_with_the_database_away_it_is_500_and_nothing_is_half_done(self, monkeypatch):
        """Abuse case 61."""
        user = new_user()
        monkeypatch.setattr(sandbox, "deliver", lambda: None)
        pay(begin(user, pack="small"))
        event = SandboxObject.objects.get(kind="event", data__type="checkout.session.completed")
        webhook = sandbox.signed(event)
        client = Client(raise_request_exception=False)

        def away(*_args, **_kwargs):
            raise DatabaseError("away")

        with connection.execute_wrapper(away):
            assert send(*webhook, client=client).status_code >= 500
        assert not StripeEvent.objects.exists()
        assert send(*webhook).status_code == 200
        # And in the middle of working it in: whatever statement fails, all of it is undone.
        for broken in range(0, 40, 3):
            StripeEvent.objects.update(not_before=None)
            with connection.execute_wrapper(failing_at(broken)):
                try:
                    inbox.work_in(StripeEvent.objects.get())
                except DatabaseError:
                    assert CreditAccount.objects.get(user=user).available in (125, 625)
            assert ledger_differences(account_of(user)) == {}
        inbox.drain_inbox()
        assert account_of(user).available == 625

    def test_stripe_s_present_state_wins_over_old_news(self, monkeypatch):
        """Abuse case 57."""
        user = new_user()
        buy(user, plan="standard")
        created = StripeEvent.objects.get(type="customer.subscription.created")
        from billing.sandbox_api import subscriptions

        name = account_of(user).subscriptions.get().stripe_id
        sandbox.act(lambda: subscriptions.end(store.get("subscription", name)))
        inbox.drain_inbox()
        assert account_of(user).plan_id == "free"
        StripeEvent.objects.filter(pk=created.pk).update(state="pending", not_before=None)
        inbox.drain_inbox()
        assert account_of(user).plan_id == "free"


def failing_at(number):
    """Let the statement of this number fail."""
    count = -1

    def wrapper(execute, sql, params, many, context):
        nonlocal count
        count += 1
        if count == number:
            raise DatabaseError("away")
        return execute(sql, params, many, context)

    return wrapper
