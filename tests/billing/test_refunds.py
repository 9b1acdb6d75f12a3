"""Money that goes back: refunds by staff and at Stripe, disputes, warnings; and the credits with it."""

import json
import uuid

import pytest

from billing import inbox, refunds, sandbox, services
from billing.exceptions import AccountBlocked, PaymentsAway, ReasonMissing, RefundRefused
from billing.models import Alert, Payment, RefundRequest, SandboxAnswer
from billing.sandbox_api import money
from billing.selectors import free_training_of, ledger_differences
from tests.billing.journey import account_of, buy, objects

pytestmark = pytest.mark.django_db


@pytest.fixture
def payment(owner):
    """12 USD for 500 credits."""
    buy(owner, pack="small")
    return Payment.objects.get()


@pytest.fixture
def second(make_user):
    return make_user("second@example.org", is_staff=True, is_superuser=True)


def refund(payment, staff, cents, **values):
    values = {"reason": "asked for it", "token": uuid.uuid4()} | values
    return refunds.request_refund(payment=payment, cents=cents, staff=staff, **values)


def spend(user, amount):
    work = uuid.uuid4()
    services.hold_credits(user=user, work_ref=work, amount=amount, label="work")
    services.settle_hold(work_ref=work, charge=amount)


def test_a_refund_takes_its_credits_and_is_told_once(owner, staff, payment):
    made = refund(payment, staff, 600)
    assert made.state == "done"
    assert made.stripe_refund_id == objects("refund")[0].pk
    assert account_of(owner).available == 375
    inbox.drain_inbox()
    account = account_of(owner)
    assert (account.available, account.debt) == (375, 0)
    assert Payment.objects.get().grant.clawed == 250
    assert ledger_differences(account) == {}


def test_the_preview_proposes_the_share_that_is_not_spent(owner, payment):
    spend(owner, 225)
    preview = refunds.preview_refund(Payment.objects.get())
    assert (preview.unspent, preview.cents, preview.clawback, preview.debt) == (400, 960, 400, 0)
    whole = refunds.preview_refund(Payment.objects.get(), 1200)
    assert (whole.clawback, whole.debt) == (500, 100)


def test_what_was_spent_becomes_a_debt_that_blocks_and_is_settled_first(owner, staff, payment):
    spend(owner, 600)
    refund(payment, staff, 1200)
    account = account_of(owner)
    assert (account.available, account.debt) == (0, 475)
    with pytest.raises(AccountBlocked):
        services.hold_credits(user=owner, work_ref=uuid.uuid4(), amount=1, label="work")
    buy(owner, pack="medium")
    account = account_of(owner)
    assert (account.available, account.debt) == (1500 - 475, 0)
    assert ledger_differences(account) == {}


def test_a_refund_that_fails_gives_the_credits_back(owner, staff, payment):
    refund(payment, staff, 1200)
    assert account_of(owner).available == 125
    sandbox.act(lambda: money.fail_refund(objects("refund")[0].pk))
    inbox.drain_inbox()
    assert account_of(owner).available == 625
    request = RefundRequest.objects.get()
    assert (request.state, request.problem) == ("failed", "lost_or_stolen_card")
    assert ledger_differences(account_of(owner)) == {}


def test_a_form_sent_twice_refunds_once(owner, staff, payment):
    token = uuid.uuid4()
    assert refund(payment, staff, 300, token=token).pk == refund(payment, staff, 300, token=token).pk
    assert len(objects("refund")) == 1


@pytest.mark.parametrize("cents", [0, 1201, 10**6])
def test_no_more_than_was_paid(owner, staff, payment, cents):
    with pytest.raises(RefundRefused):
        refund(payment, staff, cents)
    assert account_of(owner).available == 625


def test_a_refund_has_a_reason(staff, payment):
    with pytest.raises(ReasonMissing):
        refund(payment, staff, 100, reason="  ")


def test_much_money_needs_a_second_person(owner, staff, second, settings):
    buy(owner, pack="large")
    payment = Payment.objects.get()
    request = refund(payment, staff, 9000)
    assert (request.state, account_of(owner).available) == ("waiting", 5125)
    with pytest.raises(RefundRefused):
        refunds.approve_refund(request=request, staff=staff)
    with pytest.raises(RefundRefused):
        refund(payment, staff, 1)
    assert refunds.approve_refund(request=request, staff=second).state == "done"
    assert account_of(owner).available == 125
    with pytest.raises(RefundRefused):
        refunds.approve_refund(request=request, staff=second)


def test_small_refunds_that_come_to_much_need_one_too(owner, staff, settings):
    buy(owner, pack="large")
    payment = Payment.objects.get()
    assert refund(payment, staff, 4000).state == "done"
    assert refund(payment, staff, 1500).state == "waiting"


def test_what_is_turned_down_changes_nothing(owner, staff, second):
    buy(owner, pack="large")
    request = refund(Payment.objects.get(), staff, 9000)
    assert refunds.reject_refund(request=request, staff=second, reason="no").state == "rejected"
    assert (account_of(owner).available, objects("refund")) == (5125, [])


def test_while_stripe_is_away_the_credits_are_gone_and_it_is_sent_later(owner, staff, payment, monkeypatch):
    def away(**_values):
        raise PaymentsAway

    gateway = refunds.get_gateway()
    monkeypatch.setattr(gateway, "create_refund", away)
    request = refund(payment, staff, 1200)
    assert (request.state, account_of(owner).available) == ("sending", 125)
    monkeypatch.undo()
    assert refunds.send_waiting_refunds() == 1
    request.refresh_from_db()
    assert (request.state, account_of(owner).available) == ("done", 125)
    assert len(objects("refund")) == 1


def lose_the_answer(monkeypatch):
    """Have Stripe make refunds, and the line break before it can say so."""
    gateway = refunds.get_gateway()
    create = gateway.create_refund

    def create_and_break(**values):
        create(**values)
        raise PaymentsAway

    monkeypatch.setattr(gateway, "create_refund", create_and_break)


def test_a_refund_whose_answer_was_lost_is_not_made_again_when_its_key_is_forgotten(
    owner, staff, payment, monkeypatch
):
    monkeypatch.setattr(sandbox, "deliver", lambda: None)
    lose_the_answer(monkeypatch)
    request = refund(payment, staff, 600)
    monkeypatch.undo()
    # Stripe keeps keys for a day; the studio was away for longer, and has not heard of the refund.
    SandboxAnswer.objects.all().delete()
    assert (request.state, refunds.send_waiting_refunds()) == ("sending", 1)
    request.refresh_from_db()
    assert (request.state, account_of(owner).available) == ("done", 375)
    assert len(objects("refund")) == 1


def test_a_refund_that_another_process_is_sending_is_not_given_up(owner, staff, payment, monkeypatch):
    busy = {"error": {"type": "idempotency_error", "code": "idempotency_key_in_use", "message": "In use."}}
    real = sandbox.FakeStripe.request

    def request_of_two(stripe, method, url, *args, **kwargs):
        if method == "post" and url.endswith("/v1/refunds"):
            return json.dumps(busy), 409, {"Stripe-Should-Retry": "false"}
        return real(stripe, method, url, *args, **kwargs)

    monkeypatch.setattr(sandbox.FakeStripe, "request", request_of_two)
    request = refund(payment, staff, 1200)
    assert (request.state, account_of(owner).available) == ("sending", 125)
    monkeypatch.undo()
    refunds.send_waiting_refunds()
    request.refresh_from_db()
    assert (request.state, account_of(owner).available) == ("done", 125)


def test_a_refund_made_at_stripe_counts_too(owner, payment):
    sandbox.act(lambda: money.create_refund({"payment_intent": payment.stripe_id, "amount": "600"}))
    inbox.drain_inbox()
    assert account_of(owner).available == 375


def test_a_refund_that_is_heard_of_before_its_sale(owner, monkeypatch):
    from billing.models import StripeEvent
    from tests.billing.journey import begin, pay

    monkeypatch.setattr(sandbox, "deliver", lambda: None)
    pay(begin(owner, pack="small"))
    intent = objects("payment_intent")[0].pk
    sandbox.act(lambda: money.create_refund({"payment_intent": intent}))
    monkeypatch.undo()
    sandbox.deliver()
    for event in StripeEvent.objects.order_by("-pk"):
        inbox.work_in(event)
    account = account_of(owner)
    assert (account.available, Payment.objects.get().grant.clawed) == (125, 500)
    assert ledger_differences(account) == {}


@pytest.mark.parametrize(("is_won", "available", "clawed"), [(True, 625, 0), (False, 125, 500)])
def test_a_dispute_pauses_and_takes_back_until_it_is_decided(owner, payment, is_won, available, clawed):
    dispute = sandbox.act(lambda: money.open_dispute(payment.stripe_id))
    inbox.drain_inbox()
    account = account_of(owner)
    assert (account.available, account.billing_hold) == (125, True)
    with pytest.raises(AccountBlocked):
        services.hold_credits(user=owner, work_ref=uuid.uuid4(), amount=1, label="work")
    sandbox.act(lambda: money.close_dispute(dispute.pk, is_won=is_won))
    inbox.drain_inbox()
    account = account_of(owner)
    assert (account.available, account.billing_hold) == (available, False)
    assert Payment.objects.get().grant.clawed == clawed


def test_an_inquiry_only_flags(owner, payment):
    sandbox.act(lambda: money.open_dispute(payment.stripe_id, is_inquiry=True))
    inbox.drain_inbox()
    account = account_of(owner)
    assert (account.available, account.billing_hold) == (625, False)
    assert payment.disputes.get().status == "warning_needs_response"


def test_a_dispute_of_what_was_refunded_takes_nothing_twice(owner, staff, payment):
    refund(payment, staff, 1200)
    sandbox.act(lambda: money.open_dispute(payment.stripe_id))
    inbox.drain_inbox()
    account = account_of(owner)
    assert (account.available, account.debt, Payment.objects.get().grant.clawed) == (125, 0, 500)


def test_a_warning_of_fraud_pauses_until_somebody_looked(owner, payment):
    from django.utils import timezone

    from billing import ledger
    from billing.standing import settle_standing

    sandbox.act(lambda: money.warn_of_fraud(payment.stripe_id))
    inbox.drain_inbox()
    assert account_of(owner).billing_hold
    Alert.objects.update(resolved_at=timezone.now())
    settle_standing(ledger.lock_account(account_of(owner).pk), now=timezone.now())
    assert not account_of(owner).billing_hold


def test_a_plan_that_is_refunded_whole_takes_its_free_training_along(owner, staff):
    buy(owner, plan="standard")
    assert free_training_of(owner)
    refund(Payment.objects.get(), staff, 1500)
    assert not free_training_of(owner)
    sandbox.act(lambda: money.fail_refund(objects("refund")[0].pk))
    inbox.drain_inbox()
    assert free_training_of(owner)


def test_what_was_let_off_does_not_come_back_with_a_refund_that_fails(owner, staff, payment):
    """For 12 USD there are 500 credits, however they go to and fro."""
    spend(owner, 125 + 300)
    refund(payment, staff, 1200)
    assert account_of(owner).debt == 300
    by = services.Actor.of(staff)
    services.waive_debt(account=account_of(owner), reason="ours", actor=by, token=uuid.uuid4())
    sandbox.act(lambda: money.fail_refund(objects("refund")[0].pk))
    inbox.drain_inbox()
    account = account_of(owner)
    assert (account.available, account.debt) == (200, 0)
    assert ledger_differences(account) == {}


def test_who_paid_a_debt_with_a_pack_gets_credits_that_last(owner):
    """A dispute takes longer than the month whose payment it is about."""
    buy(owner, plan="standard")
    spend(owner, 625)
    dispute = sandbox.act(lambda: money.open_dispute(Payment.objects.get().stripe_id))
    inbox.drain_inbox()
    assert (account_of(owner).available, account_of(owner).debt) == (0, 500)
    buy(owner, pack="medium")
    assert (account_of(owner).available, account_of(owner).debt) == (1000, 0)
    sandbox.act(lambda: money.close_dispute(dispute.pk, is_won=True))
    inbox.drain_inbox()
    account = account_of(owner)
    assert account.available == 1000 + 625
    again = account.grants.get(source="goodwill")
    assert (again.amount, again.expires_at) == (625, None)
    assert ledger_differences(account) == {}


def test_a_debt_is_let_off_with_a_reason(owner, staff, payment):
    spend(owner, 625)
    refund(payment, staff, 1200)
    token = uuid.uuid4()
    for wanted in (500, 0):
        waived = services.waive_debt(
            account=account_of(owner), reason="ours", actor=services.Actor.of(staff), token=token
        )
        assert waived == wanted
    account = account_of(owner)
    assert (account.available, account.debt) == (0, 0)
    assert ledger_differences(account) == {}
