"""What was missed is found and mended; what nobody may mend is reported."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from billing import buying, sandbox
from billing.models import CreditAccount, Offer, Payment, Refund, StripeEvent, StripeName
from billing.reconcile import _state, find_differences, sweep_objects
from billing.sandbox_api import money, store, subscriptions
from tests.billing.journey import account_of, begin, buy, objects, pay

pytestmark = pytest.mark.django_db


@pytest.fixture
def deaf(monkeypatch):
    """No webhook arrives."""
    monkeypatch.setattr(sandbox, "deliver", lambda: None)


def run(*arguments):
    out = io.StringIO()
    call_command("reconcile_billing", *arguments, stdout=out)
    return out.getvalue()


def test_where_all_is_well_nothing_is_found(owner):
    buy(owner, plan="standard")
    buy(owner, pack="small")
    assert find_differences() == []
    assert "0 differences" in run()


def test_what_no_event_told_is_found_reported_and_mended(owner, deaf):
    pay(begin(owner, plan="standard"))
    with pytest.raises(CommandError):
        run()
    assert account_of(owner).available == 125
    assert sweep_objects() > 0
    account = account_of(owner)
    assert (account.available, account.plan_id) == (750, "standard")
    assert find_differences() == []


def test_refunds_disputes_and_ends_that_nobody_told(owner, deaf):
    attempt = begin(owner, plan="pro")
    pay(attempt)
    buying.sync_checkout(attempt.stripe_id)
    payment = Payment.objects.get()
    sandbox.act(lambda: money.create_refund({"payment_intent": payment.stripe_id, "amount": "1000"}))
    name = account_of(owner).subscriptions.get().stripe_id
    sandbox.act(lambda: subscriptions.end(store.get("subscription", name)))
    found = " ".join(map(str, find_differences()))
    assert "refunds" in found
    assert "standing" in found
    sweep_objects()
    account = account_of(owner)
    assert (account.plan_id, payment.grant.__class__.objects.get(pk=payment.grant_id).clawed) == ("free", 643)
    assert find_differences() == []


def test_the_order_of_rows_on_the_disk_is_no_difference(owner):
    buy(owner, pack="small")
    payment = Payment.objects.get()
    for _number in range(2):
        sandbox.act(lambda: money.create_refund({"payment_intent": payment.stripe_id, "amount": "100"}))
    sweep_objects()
    first, second = Refund.objects.order_by("pk")
    before = _state(payment.account_id)
    # PostgreSQL writes a changed row elsewhere, and reads the rows as they lie.
    Refund.objects.filter(pk=first.pk).update(status=first.status)
    assert _state(payment.account_id) == before
    assert [row[0] for row in before["refunds"]] == [first.stripe_id, second.stripe_id]
    assert find_differences() == []


def test_a_wrong_balance_is_reported_and_never_mended(owner):
    buy(owner, pack="small")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE billing_creditaccount SET available = available + 1")
    with pytest.raises(CommandError):
        run("--books-only", "--mend")
    assert account_of(owner).available == 626


def test_missed_events_are_worked_in_with_mend(owner, deaf):
    pay(begin(owner, pack="small"))
    assert "0 of them left" in run("--mend")
    assert account_of(owner).available == 625
    assert not StripeEvent.objects.filter(state="pending").exists()


def test_sync_stripe_makes_everything_once():
    out = io.StringIO()
    call_command("sync_stripe", stdout=out)
    assert "plan:standard: 1500 usd, 625 credits" in out.getvalue()
    assert Offer.objects.count() == 6
    before = len(objects("price")), len(objects("product")), StripeName.objects.count()
    call_command("sync_stripe", stdout=io.StringIO())
    assert (len(objects("price")), len(objects("product")), StripeName.objects.count()) == before


def test_the_sandbox_is_refused_where_money_is_real(settings, owner):
    from django.core.exceptions import ImproperlyConfigured

    settings.IN_PRODUCTION = True
    with pytest.raises(ImproperlyConfigured):
        sandbox.make_gateway()
    with pytest.raises(ImproperlyConfigured):
        sandbox.act(lambda: None)
    settings.IN_PRODUCTION, settings.PAYMENTS = False, "stripe"
    with pytest.raises(ImproperlyConfigured):
        sandbox.make_gateway()


def test_stripe_is_never_asked_inside_a_transaction(owner):
    from django.db import transaction

    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        begin(owner, pack="small")


def test_a_request_that_stripe_s_types_do_not_allow_is_refused(owner):
    from billing.exceptions import PaymentRefused
    from billing.gateway import get_gateway

    gateway = get_gateway()
    buy(owner, pack="small")
    payment = Payment.objects.get().stripe_id
    with pytest.raises(PaymentRefused) as refused:
        gateway._get(lambda: gateway._stripe.refunds.create({"payment_intent": payment, "sum": 1}))
    assert "unknown parameter: sum" in refused.value.detail
    with pytest.raises(PaymentRefused):
        gateway._get(lambda: gateway._stripe.refunds.create({"payment_intent": payment, "amount": "a few"}))
    with pytest.raises(PaymentRefused):
        gateway._get(lambda: gateway._stripe.refunds.create({"payment_intent": payment, "reason": "whim"}))
    with pytest.raises(PaymentRefused):
        gateway._get(lambda: gateway._stripe.products.create({}))


def test_a_customer_who_was_deleted_is_unlinked_and_made_anew(owner):
    from billing import inbox
    from billing.models import Alert

    buy(owner, pack="small")
    row = objects("customer")[0]
    sandbox.act(lambda: store.change(row, deleted=True) and store.emit("customer.deleted", row.data))
    inbox.drain_inbox()
    assert Alert.objects.get().kind == "customer_gone"
    buy(owner, pack="small")
    assert account_of(owner).available == 1125
    assert len(objects("customer")) == 2


def test_two_subscriptions_at_once_are_an_alert_and_one_counts(owner):
    from billing import inbox
    from billing.models import Alert

    buy(owner, plan="pro")
    customer = objects("customer")[0].pk
    price = store.get("price", Offer.objects.get(plan="pro").stripe_id).data
    sandbox.act(lambda: subscriptions.create(customer=customer, price=price, metadata={}, discount=None))
    inbox.drain_inbox()
    account = account_of(owner)
    assert Alert.objects.get().kind == "two_plans"
    assert account.subscriptions.filter(is_live=True).count() == 1
    first = account.subscriptions.get(is_live=True).stripe_id
    sandbox.act(lambda: subscriptions.end(store.get("subscription", first)))
    inbox.drain_inbox()
    assert CreditAccount.objects.get().plan_id == "pro"
