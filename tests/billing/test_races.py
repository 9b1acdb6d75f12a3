"""Different things that happen to one account at once, on real PostgreSQL with real threads.

Whoever comes first, nothing is lost, nothing is there twice, and nobody waits for ever for another's lock.
"""

import contextlib
import random
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone

from accounts.erasure import erase_accounts, request_erasure
from accounts.models import User
from billing import buying, inbox, ledger, refunds, sandbox, services
from billing.clawback import set_clawed
from billing.exceptions import AccountBlocked, BillingError, CreditsShort, FreeTrainingGone, RefundRefused
from billing.models import (
    Alert,
    CreditAccount,
    CreditEntry,
    CreditGrant,
    CreditHold,
    FreeTraining,
    Payment,
    Plan,
    RefundRequest,
    StripeEvent,
    Subscription,
)
from billing.reconcile import find_differences
from billing.sandbox_api import checkouts, money, subscriptions
from billing.selectors import ledger_differences, quote_price
from billing.standing import end_graces
from jobs.models import Job
from jobs.services import submit_job
from tests.billing.journey import account_of, begin, buy, objects, pay
from tests.billing.test_ledger_concurrency import new_user
from tests.jobs import kinds

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

kinds.register_all()


def together(*actions):
    """Run different actions in threads that start together; return what each returned."""
    start = threading.Barrier(len(actions))

    def run(action):
        start.wait()
        try:
            return action()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


def hold(user, amount, work=None):
    work = work or uuid.uuid4()
    services.hold_credits(user=user, work_ref=work, amount=amount, label="work")
    return work


def spend_all(user, amount=5):
    """Hold as much as there is, piece by piece; return how much that was."""
    total = 0
    while True:
        try:
            hold(user, amount)
        except (AccountBlocked, CreditsShort):
            return total
        total += amount


def staff_member():
    return User.objects.create_superuser(f"{uuid.uuid4()}@example.org", password=None)


def ask_refund(payment, staff, cents):
    return refunds.request_refund(
        payment=payment, cents=cents, reason="asked for it", staff=staff, token=uuid.uuid4()
    )


def check_books(account):
    account.refresh_from_db()
    assert ledger_differences(account) == {}
    assert find_differences(ask_stripe=False) == []


@pytest.mark.parametrize("run", range(4))
def test_a_refund_while_the_credits_are_spent(run):
    """Of 625 credits 500 go back with their money: what was faster than the refund is owed."""
    user, staff = new_user(), staff_member()
    buy(user, pack="small")
    payment = Payment.objects.get()
    *spent, made = together(*[partial(spend_all, user)] * 6, partial(ask_refund, payment, staff, 1200))
    account = account_of(user)
    assert made.state == "done"
    assert account.held == sum(spent)
    assert account.available - account.debt + account.held == 125
    assert account.available == 0 or account.debt == 0
    check_books(account)


@pytest.mark.parametrize("run", range(4))
def test_a_job_ends_while_its_credits_are_taken_back_and_expire(run):
    """In whatever order capture, clawback and expiry come, 200 were used and the other credits are gone."""
    user = new_user()
    account = services.open_account(user=user)
    ends_at = timezone.now() + timedelta(days=1)
    grant = services.grant_credits(
        account=account, source="plan", source_ref=f"inv:{user.pk}", amount=500, expires_at=ends_at
    )
    work = hold(user, 500)

    def claw():
        with transaction.atomic():
            locked = ledger.lock_account(account.pk)
            taken = CreditGrant.objects.get(pk=grant.pk)
            set_clawed(locked, taken, target=500, reason="", now=timezone.now())

    together(
        claw,
        claw,
        partial(services.settle_hold, work_ref=work, charge=200),
        partial(services.settle_hold, work_ref=work, charge=200),
        partial(services.expire_grants, now=ends_at + timedelta(seconds=1)),
        partial(services.expire_grants, now=ends_at + timedelta(seconds=1)),
    )
    account.refresh_from_db()
    grant.refresh_from_db()
    used = CreditEntry.objects.filter(txn__account=account, bucket="consumed")
    assert used.aggregate(total=Sum("amount"))["total"] == CreditHold.objects.get().charged == 200
    assert grant.clawed == 500
    assert account.held == 0
    assert account.available == 0 or account.debt == 0
    check_books(account)


class Storm:
    """One thread's part in all that moves credits, one thing after the other as chance has it."""

    def __init__(self, user, staff, works, seed):
        self.user, self.staff, self.works = user, staff, works
        self.account = account_of(user)
        self.chance = random.Random(seed)
        self.deeds = [self.begin, self.end, self.end, self.lapse, self.refund, self.bounce, self.forgive]

    def rage(self):
        for _ in range(12):
            # What people are told, and what stops them.
            with contextlib.suppress(AccountBlocked, CreditsShort, RefundRefused):
                self.chance.choice([*self.deeds, inbox.drain_inbox])()

    def begin(self):
        self.works.append(hold(self.user, self.chance.randint(1, 60)))

    def end(self):
        services.settle_hold(work_ref=self.chance.choice(self.works), charge=self.chance.randint(0, 1))

    def lapse(self):
        services.expire_grants()

    def refund(self):
        payment = self.chance.choice(Payment.objects.order_by("pk"))
        ask_refund(payment, self.staff, self.chance.randint(1, 300))

    def bounce(self):
        for refund in objects("refund")[:1]:
            sandbox.act(partial(money.fail_refund, refund.pk))

    def forgive(self):
        about = {"account": self.account, "reason": "storm", "actor": ledger.SYSTEM}
        services.waive_debt(token=uuid.uuid4(), **about)
        services.grant_goodwill(amount=3, token=uuid.uuid4(), **about)


def test_everything_at_once_for_a_while():
    """No deadlock, no error that a person would not understand, and in the end the books agree."""
    user, staff = new_user(), staff_member()
    buy(user, plan="standard")
    buy(user, pack="small")
    works = [hold(user, 20) for _ in range(20)]
    # The plan's month ends while all of this goes on.
    CreditGrant.objects.filter(source="plan").update(expires_at=timezone.now() + timedelta(seconds=1))
    together(*[Storm(user, staff, works, seed).rage for seed in range(6)])
    inbox.drain_inbox()
    check_books(account_of(user))
    assert not StripeEvent.objects.filter(state__in=["pending", "failed"]).exists()


def test_an_upgrade_pressed_in_many_tabs_at_once_is_paid_once():
    user = new_user()
    buy(user, plan="standard")
    pro = Plan.objects.get(slug="pro")

    def press():
        try:
            return buying.upgrade_plan(user=user, plan=pro).plan_id
        except BillingError:
            # Another press was so much faster that this is no upgrade any more.
            return None

    pressed = together(*[press] * 5, inbox.drain_inbox)
    inbox.drain_inbox()
    assert "pro" in pressed
    assert sorted(Payment.objects.values_list("amount_cents", flat=True)) == [1500, 3500]
    assert account_of(user).available == 125 + 625 + 2250
    check_books(account_of(user))


def test_an_upgrade_while_the_news_of_a_payment_and_a_grace_are_worked_in():
    """The plan is what its subscription says in the end, whoever looked last."""
    user = new_user()
    buy(user, plan="standard")
    customer = objects("customer")[0]
    customer.secret["card"] = "declined"
    customer.save()
    sandbox.advance(32)
    inbox.drain_inbox()
    row = objects("invoice", status="open")[0]
    sandbox.act(lambda: subscriptions.pay_invoice(row, card="works"))
    later = timezone.now() + timedelta(days=8)
    together(*[partial(end_graces, now=later)] * 3, inbox.drain_inbox, inbox.drain_inbox)
    inbox.drain_inbox()
    end_graces(now=later)
    account = account_of(user)
    assert (account.plan_id, Subscription.objects.get().status) == ("standard", "active")
    assert account.grants.filter(source="plan").count() == 2
    check_books(account)


def test_a_refund_approved_by_two_at_once_is_sent_once():
    user, staff = new_user(), staff_member()
    buy(user, pack="large")
    request = ask_refund(Payment.objects.get(), staff, 9000)
    others = [staff_member() for _ in range(4)]

    def approve(by):
        try:
            return refunds.approve_refund(request=request, staff=by).state
        except RefundRefused:
            return None

    decided = together(*[partial(approve, by) for by in others], refunds.send_waiting_refunds)
    assert sum(state is not None for state in decided[:-1]) == 1
    assert len(objects("refund")) == 1
    assert RefundRequest.objects.get().state == "done"
    assert account_of(user).available == 125
    check_books(account_of(user))


def test_the_free_training_while_its_payment_goes_back():
    """It is used or it is gone; and a job that ends with nothing gives nothing back that was taken."""
    user, staff = new_user(), staff_member()
    buy(user, plan="standard")
    payment, work = Payment.objects.get(), uuid.uuid4()

    def use():
        try:
            services.use_free_training(user=user, work_ref=work)
        except (FreeTrainingGone, AccountBlocked):
            return False
        return True

    used, *_others = together(use, partial(ask_refund, payment, staff, 1500), partial(spend_all, user, 50))
    training = FreeTraining.objects.get()
    assert (training.state, training.work_ref) == (("used", work) if used else ("offered", None))
    together(*[partial(services.return_free_training, work_ref=work)] * 4)
    assert FreeTraining.objects.get().state == "offered"
    with pytest.raises((FreeTrainingGone, AccountBlocked)):
        services.use_free_training(user=user, work_ref=uuid.uuid4())
    check_books(account_of(user))


def test_images_ordered_at_once_on_a_plan_with_the_relaxed_queue():
    """With credits for three of ten images three are paid, and seven are free."""
    user = new_user()
    account = services.open_account(user=user)
    CreditAccount.objects.filter(pk=account.pk).update(plan="unlimited")
    hold(user, 110)
    quote = quote_price("picture")

    def order():
        return submit_job(owner=user, kind="test.relaxable", label="image", quote=quote, total=1).is_relaxed

    assert sorted(together(*[order] * 10)) == [False] * 3 + [True] * 7
    account.refresh_from_db()
    assert (account.available, account.held) == (0, 125)
    assert Job.objects.filter(is_relaxed=True, price__isnull=False).count() == 0
    check_books(account)


def test_leaving_while_a_payment_arrives():
    """Somebody leaves while their money is on its way: the credits are in the books, and staff are told."""
    user = new_user()
    buy(user, plan="standard")
    attempt = begin(user, pack="small")
    pay(attempt, is_slow=True)
    inbox.drain_inbox()
    account = account_of(user)
    request_erasure(user=user)

    def arrive():
        sandbox.act(partial(checkouts.arrive, attempt.stripe_id, is_paid=True))
        return inbox.drain_inbox()

    together(erase_accounts, arrive, inbox.drain_inbox, erase_accounts)
    for _round in range(3):
        erase_accounts()
    StripeEvent.objects.update(not_before=None)
    inbox.drain_inbox()
    account.refresh_from_db()
    assert account.user_id is None
    assert not User.objects.filter(pk=user.pk).exists()
    assert objects("subscription")[0].data["status"] == "canceled"
    assert account.grants.filter(source="pack").count() == 1
    kinds_of_alert = set(Alert.objects.values_list("kind", flat=True))
    assert kinds_of_alert <= {Alert.Kind.PAYER_ERASED}
    assert not StripeEvent.objects.filter(state__in=["pending", "failed"]).exists()
    check_books(account)
