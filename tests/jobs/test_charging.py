"""Credits move with the job's state: held, charged and released in its own transaction."""

import contextlib
import random

import pytest
from django.db.models import Sum

from billing.exceptions import AccountBlocked, CreditsShort
from billing.models import CreditAccount, CreditEntry, CreditHold, Plan, Price
from billing.selectors import Quote, balance_of, ledger_differences, quote_price
from billing.services import grant_credits, open_account, revise_price
from jobs import charging, moves
from jobs.claims import claim_job
from jobs.context import JobContext
from jobs.exceptions import LeaseLost, MoveRefusedError
from jobs.leases import abandon_attempt, fail_job, finish_job, requeue_job
from jobs.models import Job, JobEvent, State
from jobs.processes import Leaving
from jobs.pulse import Pulse
from jobs.services import resume_job, stop_job, submit_job
from jobs.testing import run_pending
from tests.jobs.threads import at_once

pytestmark = pytest.mark.django_db


class Fault(Exception):
    """Thrown in at one point."""


@pytest.fixture
def account(owner) -> CreditAccount:
    """The owner's account, with the Free plan's 125 credits."""
    return open_account(user=owner)


@pytest.fixture
def order(submit, account):
    """Return a function that submits a job of so many pictures, 5 credits each."""

    def order(count: int = 4, name: str = "count") -> Job:
        return submit(name, total=count, quote=quote_price("picture", count))

    return order


def context_of(job: Job, tmp_path) -> JobContext:
    return JobContext(job, scratch=tmp_path, pulse=Pulse(job, leaving=Leaving(), in_background=False))


def deliver(job: Job, units: int, tmp_path) -> None:
    context = context_of(job, tmp_path)
    with context.fenced():
        context.deliver(units)


def money(job: Job) -> dict[str, int]:
    """Return what the row says and what the account has."""
    row = Job.objects.get(pk=job.pk)
    balance = balance_of(row.owner)
    account = row.owner.credit_account
    account.refresh_from_db()
    assert ledger_differences(account) == {}
    holds = CreditHold.objects.filter(work_ref=job.pk).aggregate(held=Sum("amount"), charged=Sum("charged"))
    assert (row.price_held, row.price_charged) == (holds["held"] or 0, holds["charged"] or 0)
    return {"available": balance.available, "held": balance.held, "charged": row.price_charged}


def test_submitting_holds(order):
    job = order(4)

    assert money(job) == {"available": 105, "held": 20, "charged": 0}
    assert job.price == Price.objects.get(code="picture", is_current=True)


def test_submitting_without_credits_leaves_nothing(order):
    with pytest.raises(CreditsShort) as error:
        order(26)

    assert error.value.missing == 5
    assert not Job.objects.exists()


def test_a_blocked_account_submits_nothing(order, account):
    CreditAccount.objects.filter(pk=account.pk).update(billing_hold=True)

    with pytest.raises(AccountBlocked):
        order(1)

    assert not Job.objects.exists()


def test_work_without_a_price_touches_no_account(submit, owner):
    submit("count")
    run_pending()

    assert not CreditAccount.objects.exists()


def test_all_delivered_is_all_charged(order, claim, tmp_path):
    job = order(4)
    deliver(claimed := claim(), 4, tmp_path)
    finish_job(claimed, State.SUCCEEDED)

    assert money(job) == {"available": 105, "held": 0, "charged": 20}


def test_what_the_last_writes_deliver_is_charged(order, claim, tmp_path):
    job = order(4)
    context = context_of(claimed := claim(), tmp_path)
    finish_job(claimed, State.SUCCEEDED, apply=lambda: context.deliver(4))

    assert money(job)["charged"] == 20


@pytest.mark.parametrize("end", ["stopped", "failed", "killed while stopping"])
def test_delivered_is_charged_and_the_rest_released(order, claim, tmp_path, end):
    job = order(4)
    deliver(claimed := claim(), 3, tmp_path)
    if end == "stopped":
        finish_job(claimed, State.STOPPED)
    elif end == "failed":
        fail_job(claimed, error="Sorry.", cause="fault", is_final=True)
    else:
        stop_job(job=job)
        abandon_attempt(claimed, cause="its worker is gone")

    assert money(job) == {"available": 110, "held": 0, "charged": 15}


def test_nothing_delivered_is_all_released(order, claim):
    failed, canceled = order(4), order(4)
    fail_job(claim(), error="Sorry.", cause="fault", is_final=True)
    stop_job(job=canceled)

    assert money(failed) == {"available": 125, "held": 0, "charged": 0}
    assert money(canceled) == {"available": 125, "held": 0, "charged": 0}


def test_work_that_is_tried_again_stays_held(order, claim):
    job = order(4)
    requeue_job(claim(), cause="the worker had to leave")
    abandon_attempt(claim(), cause="its worker is gone")

    assert money(job) == {"available": 105, "held": 20, "charged": 0}


def test_delivering_never_falls_and_needs_the_lease(order, claim, tmp_path):
    order(4)
    claimed = claim()
    deliver(claimed, 3, tmp_path)
    deliver(claimed, 2, tmp_path)
    assert Job.objects.get().delivered == 3

    abandon_attempt(claimed, cause="its worker is gone")
    with pytest.raises(LeaseLost):
        deliver(claimed, 4, tmp_path)


def test_more_than_is_held_is_never_charged(order, claim, tmp_path):
    job = order(2)
    deliver(claimed := claim(), 9, tmp_path)
    finish_job(claimed, State.SUCCEEDED)

    assert money(job)["charged"] == 10


FAULTS = {
    "before the credits move": (charging, "settle_hold"),
    "after the credits moved": (charging, "_write"),
    "after everything": (moves, "_tell_kind"),
}


@pytest.mark.parametrize("point", FAULTS)
@pytest.mark.parametrize("end", ["finish", "fail", "cancel"])
def test_a_fault_at_the_end_undoes_state_and_credits_together(
    order, claim, tmp_path, monkeypatch, point, end
):
    job = order(4)
    if end != "cancel":
        deliver(claimed := claim(), 4, tmp_path)
    before = Job.objects.get()
    events = JobEvent.objects.count()

    def fault(*_args: object, **_options: object) -> None:
        raise Fault

    module, name = FAULTS[point]
    with monkeypatch.context() as patch, contextlib.suppress(Fault):
        patch.setattr(module, name, fault)
        if end == "finish":
            finish_job(claimed, State.SUCCEEDED)
        elif end == "fail":
            fail_job(claimed, error="Sorry.", cause="fault", is_final=True)
        else:
            stop_job(job=job)
        pytest.fail("the fault was swallowed")

    after = Job.objects.get()
    assert (after.state, after.price_charged) == (before.state, 0)
    assert JobEvent.objects.count() == events
    assert money(job) == {"available": 105, "held": 20, "charged": 0}


@pytest.mark.parametrize("name", ["hold_credits", "_write"])
def test_a_fault_at_the_start_leaves_neither_job_nor_hold(order, account, monkeypatch, name):
    def fault(*_args: object, **_options: object) -> None:
        raise Fault

    monkeypatch.setattr(charging, name, fault)
    with pytest.raises(Fault):
        order(4)

    assert not Job.objects.exists()
    assert not CreditHold.objects.exists()
    account.refresh_from_db()
    assert (account.available, account.held) == (125, 0)


# Slices. The price is 1 credit for 3 units, rounded up: 4 units cost 2, 8 cost 3, 10 cost 4.


@pytest.fixture
def price(db) -> Price:
    return revise_price(price=Price(code="test", label="Units", credits=1, per=3))


@pytest.fixture
def slices(submit, account, price):
    """Return a function that submits a job of 10 units in slices of 4, with so many credits to spend."""

    def slices(available: int) -> Job:
        if available < account.available:
            spend = Quote(credits=account.available - available, price=price)
            submit("noop", quote=spend)
            Job.objects.filter(kind="test.noop").update(delivered=10**6)
            run_pending("generate")
        return submit("sliced", total=10, quote=Quote(credits=price.for_quantity(4), price=price))

    return slices


def test_slices_sum_up_to_the_price_of_all(slices):
    job = slices(125)
    run_pending("train")

    assert money(job) == {"available": 121, "held": 0, "charged": 4}
    amounts = CreditHold.objects.filter(work_ref=job.pk).order_by("slice").values_list("amount", "charged")
    assert list(amounts) == [(2, 2), (1, 1), (1, 1)]


def test_without_credits_for_the_next_slice_the_work_stops_itself(slices):
    job = slices(2)
    run_pending("train")

    row = Job.objects.get(pk=job.pk)
    assert (row.state, row.delivered) == (State.STOPPED, 4)
    assert "Your credits ran out" in row.error
    assert list(row.events.filter(to_state="stopping").values_list("cause", flat=True)) == ["out of credits"]
    assert money(job) == {"available": 0, "held": 0, "charged": 2}


def test_after_a_grant_it_goes_on_and_is_charged_exactly(slices, account, owner):
    job = slices(2)
    run_pending("train")
    with pytest.raises(CreditsShort):
        resume_job(job=job)
    assert Job.objects.get(pk=job.pk).state == State.STOPPED

    grant_credits(account=account, source="promo", source_ref="a gift", amount=2)
    resume_job(job=job)
    assert money(job) == {"available": 1, "held": 1, "charged": 2}
    run_pending("train")

    assert Job.objects.get(pk=job.pk).state == State.SUCCEEDED
    assert money(job) == {"available": 0, "held": 0, "charged": 4}


def test_a_blocked_account_stops_the_work_too(slices, account, claim, tmp_path, price):
    job = slices(125)
    claimed = claim()
    CreditAccount.objects.filter(pk=account.pk).update(billing_hold=True)
    context = context_of(claimed, tmp_path)
    with context.fenced():
        assert not context.deliver_slice(4, next_quote=Quote(credits=1, price=price))

    row = Job.objects.get(pk=job.pk)
    assert row.state == State.STOPPING
    assert "Spending is paused" in row.error
    assert money(job)["charged"] == 2


def test_a_slice_that_was_delivered_is_not_charged_again(slices, claim, tmp_path, price):
    job = slices(125)
    context = context_of(claim(), tmp_path)
    for _time in range(2):
        with context.fenced():
            assert context.deliver_slice(4, next_quote=Quote(credits=1, price=price))

    assert money(job) == {"available": 122, "held": 1, "charged": 2}


def test_a_stop_between_slices_charges_what_was_delivered(slices, claim, tmp_path, price):
    job = slices(125)
    context = context_of(claimed := claim(), tmp_path)
    with context.fenced():
        context.deliver_slice(4, next_quote=Quote(credits=1, price=price))
    stop_job(job=job)
    with context.fenced():
        assert context.deliver_slice(7, next_quote=Quote(credits=1, price=price))
    finish_job(claimed, State.STOPPED)

    assert money(job) == {"available": 122, "held": 0, "charged": 3}


@pytest.mark.parametrize("point", ["settle_hold", "hold_credits", "_write"])
def test_a_fault_between_two_slices_undoes_both(slices, claim, tmp_path, price, monkeypatch, point):
    job = slices(125)
    context = context_of(claim(), tmp_path)
    real = getattr(charging, point)

    def fault_after(*args: object, **options: object) -> None:
        real(*args, **options)
        raise Fault

    with monkeypatch.context() as patch:
        patch.setattr(charging, point, fault_after)
        with pytest.raises(Fault), context.fenced():
            context.deliver_slice(4, next_quote=Quote(credits=1, price=price))

    assert money(job) == {"available": 123, "held": 2, "charged": 0}
    assert Job.objects.get(pk=job.pk).delivered == 0


def test_a_new_price_does_not_change_what_was_agreed(slices, price):
    job = slices(125)
    revise_price(price=Price(code="test", label="Units", credits=50, per=1))
    run_pending("train")

    assert money(job)["charged"] == 4


def test_the_ledger_sums_to_zero(order, claim, tmp_path):
    order(4)
    deliver(claimed := claim(), 3, tmp_path)
    finish_job(claimed, State.STOPPED)

    assert CreditEntry.objects.aggregate(total=Sum("amount"))["total"] == 0


def test_in_house_mode_nothing_is_held(owner, settings):
    settings.CREDITS_ENABLED = False
    job = submit_job(owner=owner, kind="test.count", label="", total=4, quote=quote_price("picture", 4))
    run_pending()

    assert (job.price, job.price_held) == (None, 0)
    assert not CreditAccount.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_many_ends_at_once_settle_once(owner):
    """A job that is stopped twice, killed and finished at the same moment is settled by one of them."""
    account = open_account(user=owner)
    for _round in range(5):
        job = submit_job(owner=owner, kind="test.count", label="", total=2, quote=quote_price("picture", 2))
        claimed = claim_job(queue="train", worker="worker-1")
        Job.objects.filter(pk=job.pk).update(delivered=1)
        before = balance_of(owner)

        def end(index: int, job: Job = job, claimed: Job = claimed) -> None:
            with contextlib.suppress(LeaseLost):
                if index % 3 == 0:
                    stop_job(job=job)
                elif index % 3 == 1:
                    abandon_attempt(claimed, cause="its worker is gone")
                else:
                    finish_job(claimed, State.SUCCEEDED)

        at_once(end)
        stop_job(job=job)
        if Job.objects.get(pk=job.pk).state == State.STOPPING:
            abandon_attempt(claimed, cause="its worker is gone")
        after = balance_of(owner)
        assert (before.held - after.held, after.available - before.available) == (10, 5)
        account.refresh_from_db()
        assert ledger_differences(account) == {}


@pytest.mark.django_db(transaction=True)
def test_paid_jobs_in_all_directions_at_once_never_lock_each_other_out(owner):
    """Submitting, claiming, delivering, canceling, resuming: no deadlock, and every credit is found."""
    account = open_account(user=owner)
    grant_credits(account=account, source="promo", source_ref="plenty", amount=10_000)
    Plan.objects.filter(slug="free").update(experiments_at_once=3)

    def work(index: int) -> None:
        draw = random.Random(index)
        for _round in range(6):
            quote = quote_price("picture", 2)
            submit_job(owner=owner, kind="test.limited", label="", total=2, quote=quote)
            if draw.random() < 0.4:
                stop_job(job=draw.choice(list(Job.objects.filter(owner=owner))))
            with contextlib.suppress(LeaseLost):
                claimed = claim_job(queue="train", worker=f"worker-{index}")
                if claimed is not None:
                    delivered = max(claimed.delivered, draw.randint(0, 2))
                    Job.objects.filter(pk=claimed.pk).update(delivered=delivered)
                    finish_job(claimed, draw.choice([State.SUCCEEDED, State.STOPPED]))
            with contextlib.suppress(MoveRefusedError, IndexError):
                resume_job(job=draw.choice(list(Job.objects.filter(state=State.STOPPED))))

    at_once(work)
    while job := claim_job(queue="train", worker="the last"):
        finish_job(job, State.SUCCEEDED)

    account.refresh_from_db()
    charged = sum(job.delivered * 5 for job in Job.objects.all())
    assert Job.objects.active().count() == 0
    assert ledger_differences(account) == {}
    assert (account.available, account.held) == (10_125 - charged, 0)
    assert Job.objects.aggregate(sum=Sum("price_charged"))["sum"] == charged
