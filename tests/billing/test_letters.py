"""E-mails about money: who gets which, once, and not when it is no longer true."""

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.utils import timezone

from billing import buying, inbox, letters, reconcile, sandbox
from billing.letters import raise_alert, send_letters
from billing.models import Alert, CreditAccount, Letter, Plan, StripeEvent
from billing.sandbox_api import subscriptions
from tests.billing.journey import account_of, buy, objects

pytestmark = pytest.mark.django_db

STAFF = "till@studio.example"


@pytest.fixture(autouse=True)
def _studio(settings):
    settings.ADMINS = [("", STAFF)]
    settings.SITE_URL = "https://studio.example"


@pytest.fixture
def overdue(owner):
    """The owner's plan could not be renewed: the card is declined."""
    buy(owner, plan="standard")
    customer = objects("customer")[0]
    customer.secret["card"] = "declined"
    customer.save()
    sandbox.advance(32)
    inbox.drain_inbox()
    return account_of(owner)


def pay_overdue():
    row = objects("invoice", status="open")[0]
    sandbox.act(lambda: subscriptions.pay_invoice(row, card="works"))
    inbox.drain_inbox()


def test_who_has_to_pay_is_written_to_once(owner, overdue):
    assert send_letters() == 1
    letter = mail.outbox.pop()
    assert letter.to == [owner.email]
    assert "The payment of 15 USD for your plan did not go through" in letter.body
    assert "You keep your plan for 7 days" in letter.body
    assert f"https://studio.example{overdue.invoices.get(needs_attention=True).page_url}" in letter.body
    StripeEvent.objects.update(state="pending", not_before=None)
    inbox.drain_inbox()
    assert send_letters() == 0


def test_an_upgrade_whose_card_fails_is_told_on_its_page_alone(owner):
    buy(owner, plan="standard")
    customer = objects("customer")[0]
    customer.secret["card"] = "asks"
    customer.save()
    buying.upgrade_plan(user=owner, plan=Plan.objects.get(slug="pro"))
    inbox.drain_inbox()
    assert account_of(owner).invoices.filter(needs_attention=True).exists()
    assert not Letter.objects.exists()


def test_what_was_paid_meanwhile_is_not_asked_for(overdue):
    pay_overdue()
    assert send_letters() == 1
    assert mail.outbox == []
    assert Letter.objects.get().done_at is not None


def test_an_address_that_is_not_confirmed_is_not_written_to(owner, overdue):
    EmailAddress.objects.create(user=owner, email=owner.email, verified=False, primary=True)
    send_letters()
    assert mail.outbox == []


def test_somebody_who_is_erased_is_not_written_to(owner, overdue):
    owner.delete()
    send_letters()
    assert mail.outbox == []


def test_while_the_mail_server_is_away_it_waits(overdue, monkeypatch):
    def away(_message):
        raise ConnectionRefusedError

    monkeypatch.setattr(letters.EmailMessage, "send", away)
    send_letters()
    letter = Letter.objects.get()
    assert (letter.attempts, letter.done_at, letter.problem) == (1, None, "ConnectionRefusedError: ")
    assert letter.not_before > timezone.now()
    monkeypatch.undo()
    assert send_letters() == 0
    Letter.objects.update(not_before=timezone.now() - timedelta(seconds=1))
    assert send_letters() == 1
    assert len(mail.outbox) == 1


def test_it_is_given_up_after_a_day(overdue, monkeypatch):
    Letter.objects.update(attempts=30)
    assert send_letters() == 0


def test_staff_read_of_each_alert_once(owner):
    for _time in range(2):
        raise_alert(ref="fraud:1", kind=Alert.Kind.FRAUD, account=account_of(owner))
    send_letters()
    letter = mail.outbox.pop()
    assert letter.to == [STAFF]
    assert "A bank warns of fraud" in letter.body
    assert "https://studio.example/admin/billing/alert/" in letter.body
    assert mail.outbox == []


def test_without_anybody_to_write_to_the_alert_stands_in_admin(settings):
    settings.ADMINS = []
    raise_alert(ref="event:1", kind=Alert.Kind.EVENT_FAILED)
    send_letters()
    assert mail.outbox == []
    assert Alert.objects.count() == 1


def test_staff_read_what_the_night_has_found(owner):
    buy(owner, plan="standard")
    assert reconcile.sweep_objects() == 0
    CreditAccount.objects.update(available=7)
    for _time in range(2):
        assert reconcile.sweep_objects() >= 1
    send_letters()
    assert len(mail.outbox) == 1
    assert mail.outbox[0].to == [STAFF]
    assert "its balances are not the sum of its entries" in mail.outbox[0].body
