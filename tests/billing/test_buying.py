"""Buying in the sandbox: checkouts, plans and packs, through the real Stripe client."""

import pytest

from billing import buying, inbox, sandbox
from billing.exceptions import NothingSold
from billing.models import Alert, Checkout, CreditGrant, Offer, Pack, Payment, Plan, StripeEvent, Subscription
from billing.sandbox_api import checkouts, subscriptions
from billing.selectors import free_training_of, ledger_differences
from tests.billing.journey import account_of, begin, buy, objects, pay

pytestmark = pytest.mark.django_db


def test_a_pack_is_granted_once_it_is_paid(owner):
    attempt = begin(owner, pack="small", return_to="/generate/?count=4")
    assert attempt.url.startswith("/billing/sandbox/checkout/?session=cs_")
    inbox.drain_inbox()
    assert account_of(owner).available == 125
    pay(attempt)
    inbox.drain_inbox()
    account = account_of(owner)
    assert account.available == 625
    grant = CreditGrant.objects.get(source="pack")
    assert (grant.source_ref, grant.expires_at) == (f"cs:{attempt.stripe_id}", None)
    assert Payment.objects.get().amount_cents == 1200
    attempt.refresh_from_db()
    assert (attempt.state, attempt.return_to) == (Checkout.State.PAID, "/generate/?count=4")
    assert ledger_differences(account) == {}
    assert not StripeEvent.objects.filter(state__in=["pending", "failed"]).exists()


def test_a_plan_brings_its_credits_until_its_month_ends_and_the_free_training(owner):
    buy(owner, plan="standard")
    account = account_of(owner)
    subscription = account.subscriptions.get()
    grant = CreditGrant.objects.get(source="plan")
    assert (account.plan_id, account.available, subscription.status) == ("standard", 750, "active")
    assert (grant.amount, grant.expires_at) == (625, subscription.period_end)
    assert free_training_of(owner)
    assert account.invoices.get().status == "paid"


def test_the_page_after_a_payment_needs_no_webhook(owner):
    attempt = begin(owner, plan="pro")
    pay(attempt)
    StripeEvent.objects.all().delete()
    buying.sync_checkout(attempt.stripe_id)
    account = account_of(owner)
    assert (account.plan_id, account.available) == ("pro", 2375)
    buying.sync_checkout(attempt.stripe_id)
    assert account_of(owner).available == 2375


def test_two_clicks_are_one_attempt_and_another_choice_closes_it(owner):
    first, again = begin(owner, pack="small"), begin(owner, pack="small")
    assert first.pk == again.pk
    other = begin(owner, pack="large")
    first.refresh_from_db()
    assert (first.state, other.state) == (Checkout.State.EXPIRED, Checkout.State.OPEN)
    assert [row.data["status"] for row in objects("checkout.session")] == ["open", "expired"]


def test_who_has_paid_in_a_tab_that_was_lost_does_not_pay_again(owner, owner_client, monkeypatch):
    monkeypatch.setattr(sandbox, "deliver", lambda: None)
    first = begin(owner, pack="small")
    pay(first)
    response = owner_client.post("/billing/buy/", {"offer": "pack:small"})
    assert response["Location"] == "/billing/bought/"
    assert (account_of(owner).available, Checkout.objects.count()) == (625, 1)


def test_a_card_that_is_declined_charges_nothing(owner):
    attempt = begin(owner, pack="small")
    assert pay(attempt, card="declined") == "declined"
    inbox.drain_inbox()
    assert account_of(owner).available == 125
    assert pay(attempt) == "succeeded"
    inbox.drain_inbox()
    assert account_of(owner).available == 625


def test_3d_secure_is_asked_and_answered(owner):
    attempt = begin(owner, plan="standard")
    assert pay(attempt, card="asks") == "requires_action"
    inbox.drain_inbox()
    assert account_of(owner).plan_id == "free"
    assert pay(attempt, card="asks", is_authorised=True) == "succeeded"
    inbox.drain_inbox()
    assert account_of(owner).plan_id == "standard"


@pytest.mark.parametrize(("is_paid", "state", "has"), [(True, "paid", 625), (False, "failed", 125)])
def test_a_slow_payment_is_pending_until_it_arrives(owner, is_paid, state, has):
    attempt = begin(owner, pack="small")
    assert pay(attempt, is_slow=True) == "pending"
    inbox.drain_inbox()
    attempt.refresh_from_db()
    assert (attempt.state, account_of(owner).available) == ("pending", 125)
    sandbox.act(lambda: checkouts.arrive(attempt.stripe_id, is_paid=is_paid))
    inbox.drain_inbox()
    attempt.refresh_from_db()
    assert (attempt.state, account_of(owner).available) == (state, has)


def test_a_renewal_brings_new_credits_and_the_old_ones_lapse(owner):
    from billing.services import expire_grants

    buy(owner, plan="standard")
    sandbox.advance(32)
    inbox.drain_inbox()
    assert expire_grants() == 625
    account = account_of(owner)
    assert account.available == 750
    assert account.subscriptions.get().status == "active"
    assert account.grants.filter(source="plan").count() == 2
    assert ledger_differences(account) == {}


def test_an_upgrade_is_paid_in_full_and_brings_a_full_grant(owner):
    buy(owner, plan="standard")
    subscription = buying.upgrade_plan(user=owner, plan=Plan.objects.get(slug="pro"))
    inbox.drain_inbox()
    account = account_of(owner)
    assert (account.plan_id, account.available) == ("pro", 125 + 625 + 2250)
    assert not subscription.has_pending_update
    assert [payment.amount_cents for payment in Payment.objects.order_by("pk")] == [1500, 3500]
    with pytest.raises(NothingSold):
        buying.upgrade_plan(user=owner, plan=Plan.objects.get(slug="pro"))


def test_an_upgrade_whose_card_fails_changes_nothing_until_it_is_paid(owner):
    buy(owner, plan="standard")
    customer = objects("customer")[0]
    customer.secret["card"] = "asks"
    customer.save()
    subscription = buying.upgrade_plan(user=owner, plan=Plan.objects.get(slug="pro"))
    inbox.drain_inbox()
    account = account_of(owner)
    assert (account.plan_id, account.available, subscription.has_pending_update) == ("standard", 750, True)
    invoice = account.invoices.get(needs_attention=True)
    row = objects("invoice", status="open")[0]
    assert invoice.stripe_id == row.pk
    sandbox.act(lambda: subscriptions.pay_invoice(row, card="asks", is_authorised=True))
    inbox.drain_inbox()
    account = account_of(owner)
    assert (account.plan_id, account.available) == ("pro", 3000)


def test_an_upgrade_asked_for_again_by_a_tab_that_knows_less_is_paid_once(owner):
    """The invoice's news may be here before the subscription's."""
    buy(owner, plan="standard")
    pro = Plan.objects.get(slug="pro")
    subscription = buying.upgrade_plan(user=owner, plan=pro)
    inbox.drain_inbox()
    Subscription.objects.update(plan="standard", price_cents=1500)
    assert buying.upgrade_plan(user=owner, plan=pro).plan_id == "pro"
    assert Payment.objects.count() == len(objects("invoice")) == 2
    subscription.refresh_from_db()
    assert (subscription.price_cents, account_of(owner).available) == (3500, 125 + 625 + 2250)


def test_an_upgrade_that_was_not_paid_is_forgotten_and_so_is_its_invoice(owner):
    buy(owner, plan="standard")
    customer = objects("customer")[0]
    customer.secret["card"] = "declined"
    customer.save()
    for _press in range(2):
        buying.upgrade_plan(user=owner, plan=Plan.objects.get(slug="pro"))
        inbox.drain_inbox()
    assert sorted(row.data["status"] for row in objects("invoice")) == ["open", "paid", "void"]
    assert account_of(owner).invoices.filter(needs_attention=True).count() == 1
    sandbox.advance(2)
    inbox.drain_inbox()
    account = account_of(owner)
    assert (account.plan_id, account.available) == ("standard", 750)
    assert not account.subscriptions.get().has_pending_update
    assert not account.invoices.filter(needs_attention=True).exists()


def test_down_and_out_happen_with_the_month(owner):
    buy(owner, plan="pro")
    name = account_of(owner).subscriptions.get().stripe_id
    buy(owner, pack="small")
    from billing.shop import offer_of

    standard = offer_of(Plan.objects.get(slug="standard"))
    sandbox.act(lambda: subscriptions.reduce_at_end(name, standard.stripe_id))
    inbox.drain_inbox()
    account = account_of(owner)
    assert (account.plan_id, account.subscriptions.get().next_plan_id) == ("pro", "standard")
    sandbox.advance(32)
    inbox.drain_inbox()
    assert account_of(owner).plan_id == "standard"
    sandbox.act(lambda: subscriptions.cancel_at_end(name, is_canceled=True))
    inbox.drain_inbox()
    assert account_of(owner).subscriptions.get().cancel_at is not None
    sandbox.advance(32)
    inbox.drain_inbox()
    account = account_of(owner)
    assert (account.plan_id, account.subscriptions.get().status) == ("free", "canceled")


def test_a_renewal_that_fails_keeps_the_plan_for_a_while(owner, settings):
    from billing.standing import end_graces

    buy(owner, plan="standard")
    customer = objects("customer")[0]
    customer.secret["card"] = "declined"
    customer.save()
    sandbox.advance(32)
    inbox.drain_inbox()
    account = account_of(owner)
    assert (account.plan_id, account.subscriptions.get().status) == ("standard", "past_due")
    assert account.grants.filter(source="plan").count() == 1
    sandbox.advance(8)
    inbox.drain_inbox()
    assert end_graces() == 1
    assert account_of(owner).plan_id == "free"
    row = objects("invoice", status="open")[0]
    sandbox.act(lambda: subscriptions.pay_invoice(row, card="works"))
    inbox.drain_inbox()
    account = account_of(owner)
    assert (account.plan_id, account.grants.filter(source="plan").count()) == ("standard", 2)


def test_a_second_plan_is_not_sold_beside_the_first(owner):
    buy(owner, plan="standard")
    with pytest.raises(buying.HasPlanAlready):
        begin(owner, plan="pro")


def test_an_edited_plan_is_a_new_offer_and_the_old_one_is_kept(owner):
    buy(owner, plan="standard")
    Plan.objects.filter(slug="standard").update(price_cents=1900, credits=700)
    buy(owner, pack="small")
    from billing.shop import sync_shop

    assert len([line for line in sync_shop() if line.startswith("plan:standard")]) == 1
    assert sync_shop() == []
    offers = Offer.objects.filter(plan="standard").order_by("pk")
    assert [(offer.price_cents, offer.credits, offer.is_current) for offer in offers] == [
        (1500, 625, False),
        (1900, 700, True),
    ]
    sandbox.advance(32)
    inbox.drain_inbox()
    assert [grant.amount for grant in CreditGrant.objects.filter(source="plan")] == [625, 625]


def test_a_payment_at_a_price_that_nobody_knows_is_an_alert(owner):
    """As after a database that was restored from before the price was made."""
    attempt = begin(owner, pack="small")
    pay(attempt)
    Offer.objects.update(stripe_id="price_forgotten")
    inbox.drain_inbox()
    assert account_of(owner).available == 125
    assert Alert.objects.get().kind == Alert.Kind.UNKNOWN_PRICE


def test_every_pack_that_is_offered_can_be_bought(owner):
    for pack in Pack.objects.filter(is_offered=True):
        before = account_of(owner).available
        buy(owner, pack=pack.slug)
        assert account_of(owner).available == before + pack.credits
