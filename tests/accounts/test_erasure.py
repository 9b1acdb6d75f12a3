"""Leaving: billing and jobs are told first, then everything goes, and nothing before."""

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from accounts.erasure import erase_accounts, request_erasure
from accounts.exceptions import EraseRefusedError
from accounts.models import Erasure, User
from billing import inbox, sandbox
from billing.exceptions import PaymentsAway
from billing.gateway import Gateway
from billing.models import Alert, CreditAccount, CreditHold, Customer, Payment, StripeEvent
from billing.selectors import ledger_differences, quote_price
from jobs.claims import claim_job
from jobs.leases import finish_job
from jobs.models import Job, State
from jobs.services import submit_job
from tests.billing.journey import account_of, begin, buy, objects, pay
from tests.jobs import kinds

pytestmark = pytest.mark.django_db

URL = reverse("account_erase")

kinds.register_all()


def test_the_subscription_is_canceled_at_stripe_before_anything_goes(owner):
    buy(owner, plan="standard")
    begin(owner, pack="small")
    account = account_of(owner)
    request_erasure(user=owner)

    assert erase_accounts() == 1

    assert [row.data["status"] for row in objects("subscription")] == ["canceled"]
    assert objects("checkout.session", status="open") == []
    assert not User.objects.filter(pk=owner.pk).exists()
    account = CreditAccount.objects.get(pk=account.pk)
    assert (account.user, account.plan_id, account.available) == (None, "free", 750)
    assert ledger_differences(account) == {}
    sandbox.advance(40)
    inbox.drain_inbox()
    assert len(objects("payment_intent", status="succeeded")) == 1


def test_while_stripe_is_away_nothing_is_lost_and_it_is_tried_again(owner, monkeypatch):
    buy(owner, plan="standard")
    request_erasure(user=owner)

    def away(*_args):
        raise PaymentsAway

    monkeypatch.setattr(Gateway, "cancel_subscription", away)
    for _round in range(2):
        assert erase_accounts() == 0
    assert User.objects.filter(pk=owner.pk, is_active=False).exists()
    assert objects("subscription")[0].data["status"] == "active"
    monkeypatch.undo()
    assert erase_accounts() == 1
    assert objects("subscription")[0].data["status"] == "canceled"


def test_a_subscription_that_we_never_heard_of_is_ended_too(owner, monkeypatch):
    monkeypatch.setattr(sandbox, "deliver", lambda: None)
    attempt = begin(owner, plan="pro")
    sandbox.act(lambda: sandbox.checkouts.pay(attempt.stripe_id, card="works"))
    assert not account_of(owner).subscriptions.exists()
    request_erasure(user=owner)

    assert erase_accounts() == 1

    assert objects("subscription")[0].data["status"] == "canceled"


def test_one_that_was_canceled_meanwhile_is_no_fault(owner):
    buy(owner, plan="standard")
    from billing.sandbox_api import store, subscriptions

    name = account_of(owner).subscriptions.get().stripe_id
    sandbox.act(lambda: subscriptions.end(store.get("subscription", name)))
    request_erasure(user=owner)
    assert erase_accounts() == 1


def test_without_keys_nobody_who_still_pays_is_erased(owner, settings):
    buy(owner, plan="standard")
    request_erasure(user=owner)
    settings.PAYMENTS = "off"
    from billing.gateway import get_gateway

    get_gateway.cache_clear()
    assert erase_accounts() == 0
    settings.PAYMENTS = "sandbox"
    assert erase_accounts() == 1


def test_jobs_are_stopped_and_settled_first(owner):
    waiting = submit_job(owner=owner, kind="test.noop", label="", quote=quote_price("picture"), total=1)
    running = submit_job(owner=owner, kind="test.count", label="", quote=quote_price("picture"), total=1)
    claimed = claim_job(queue="train", worker="worker-1")
    account = account_of(owner)
    request_erasure(user=owner)

    assert erase_accounts() == 0

    assert Job.objects.get(pk=waiting.pk).state == State.CANCELED
    assert Job.objects.get(pk=running.pk).state == State.STOPPING
    finish_job(claimed, State.STOPPED)
    assert erase_accounts() == 1
    account = CreditAccount.objects.get(pk=account.pk)
    assert (account.available, account.held) == (125, 0)
    assert not CreditHold.objects.filter(state="held").exists()
    assert not Job.objects.exists()


def test_news_of_somebody_erased_are_worked_in(owner):
    buy(owner, plan="standard")
    request_erasure(user=owner)
    erase_accounts()
    StripeEvent.objects.update(state="pending", not_before=None)
    inbox.drain_inbox()
    assert not StripeEvent.objects.filter(state__in=["pending", "failed"]).exists()
    assert Customer.objects.get().account.user is None


def test_a_transfer_that_arrives_too_late_is_for_staff_to_refund(owner):
    attempt = begin(owner, pack="small")
    assert pay(attempt, is_slow=True) == "pending"
    inbox.drain_inbox()
    request_erasure(user=owner)
    erase_accounts()
    sandbox.act(lambda: sandbox.checkouts.arrive(attempt.stripe_id, is_paid=True))
    inbox.drain_inbox()
    alert = Alert.objects.get()
    assert (alert.kind, alert.account) == ("payer_erased", Payment.objects.get().account)


def test_one_that_cannot_be_erased_holds_up_no_other(owner, stranger, monkeypatch):
    def stuck(user):
        if user == owner:
            raise RuntimeError("broken on purpose")

    from accounts import erasure

    monkeypatch.setitem(erasure._farewells, "billing", stuck)
    for user in (owner, stranger):
        request_erasure(user=user)
    assert erase_accounts() == 1
    assert list(Erasure.objects.all()) == [Erasure(user=owner)]


def test_staff_are_not_erased(staff):
    with pytest.raises(EraseRefusedError):
        request_erasure(user=staff)
    assert not Erasure.objects.exists()


class TestPage:
    """The page asks for the password, and closes the account at once."""

    def test_it_says_what_goes(self, owner_client, settings):
        assert "A plan is canceled at once" in owner_client.get(URL).content.decode()
        assert owner_client.head(URL).status_code == 200
        settings.CREDITS_ENABLED = False
        assert "A plan is canceled" not in owner_client.get(URL).content.decode()

    def test_without_the_password_nothing_happens(self, owner, owner_client):
        response = owner_client.post(URL)
        assert response["Location"].startswith(reverse("account_reauthenticate"))
        assert not Erasure.objects.exists()

    def test_with_it_the_account_is_closed_everywhere(self, owner, monkeypatch):
        monkeypatch.setattr("accounts.views.is_reauthentication_required", lambda _request, app="": False)
        here, elsewhere = Client(), Client()
        for client in (here, elsewhere):
            client.force_login(owner)
        assert here.post(URL)["Location"] == reverse("home")
        assert elsewhere.get(reverse("billing:account_detail")).status_code == 302
        assert not here.login(email=owner.email, password="correct horse")
        assert erase_accounts() == 1
        assert not User.objects.filter(pk=owner.pk).exists()


class TestAdmin:
    """Staff erase accounts; they don't delete rows."""

    def test_it_is_an_action_and_in_the_audit(self, owner, staff):
        client = Client()
        client.force_login(staff)
        chosen = {"action": "erase", "_selected_action": [str(owner.pk)]}
        client.post(reverse("admin:accounts_user_changelist"), chosen)
        assert Erasure.objects.get().user == owner
        assert LogEntry.objects.get(object_id=str(owner.pk)).user == staff

    def test_nobody_is_deleted_without_it(self, owner, staff):
        client = Client()
        client.force_login(staff)
        page = reverse("admin:accounts_user_delete", args=[owner.pk])
        assert client.post(page, {"post": "yes"}).status_code == 403
        assert User.objects.filter(pk=owner.pk).exists()
