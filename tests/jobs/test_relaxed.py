"""The relaxed queue: what a plan gives for nothing once its credits are used up."""

import pytest

from billing.exceptions import AccountBlocked, CreditsShort
from billing.models import CreditAccount, CreditHold
from billing.selectors import ledger_differences, quote_price
from billing.services import open_account
from jobs import fairness
from jobs.claims import claim_batch, claim_job
from jobs.leases import finish_job
from jobs.models import Job, State
from jobs.selectors import queue_position, receipt_of
from jobs.services import stop_job
from tests.wallets import set_credits

pytestmark = pytest.mark.django_db


def put_on(user, plan):
    account = open_account(user=user)
    CreditAccount.objects.filter(pk=account.pk).update(plan=plan)


@pytest.fixture
def unlimited(owner):
    """The owner is on Unlimited and has 10 credits left: two pictures."""
    set_credits(owner, 10)
    put_on(owner, "unlimited")
    return owner


@pytest.fixture
def order(submit):
    """Return a function that orders a picture."""

    def order(label="", **options):
        return submit("relaxable", label=label, quote=quote_price("picture"), total=1, **options)

    return order


def run(count):
    """Do so many jobs, one after the other, and return their labels."""
    labels = []
    for _job in range(count):
        job = claim_job(queue="generate", worker="worker-1")
        Job.objects.filter(pk=job.pk).update(delivered=1)
        finish_job(job, State.SUCCEEDED)
        labels.append(job.label)
    return labels


def test_beyond_the_credits_it_is_free(unlimited, order):
    jobs = [order() for _number in range(4)]

    assert [job.is_relaxed for job in jobs] == [False, False, True, True]
    assert [job.price_held for job in jobs] == [5, 5, 0, 0]
    run(4)
    account = open_account(user=unlimited)
    assert (account.available, account.held) == (0, 0)
    assert CreditHold.objects.filter(work_ref__in=[job.pk for job in jobs]).count() == 2
    assert receipt_of(jobs[2]) is None
    assert ledger_differences(account) == {}


def test_an_order_is_relaxed_whole_and_leaves_the_credits(unlimited, submit):
    job = submit("relaxable", quote=quote_price("picture", 3), total=3)

    assert job.is_relaxed
    assert open_account(user=unlimited).available == 10


@pytest.mark.parametrize("plan", ["free", "standard", "pro"])
def test_other_plans_are_told_what_is_missing(owner, order, plan):
    set_credits(owner, 0)
    put_on(owner, plan)

    with pytest.raises(CreditsShort):
        order()


def test_trainings_take_credits_on_every_plan(unlimited, submit):
    with pytest.raises(CreditsShort):
        submit("count", quote=quote_price("ai-training"))


def test_while_spending_is_paused_nothing_is_free(unlimited, order):
    CreditAccount.objects.update(billing_hold=True)

    with pytest.raises(AccountBlocked):
        order()


def test_one_comes_to_ten_paid_ones_of_everybody_else(unlimited, stranger, order, settings):
    settings.RELAXED_STRIDES = 10
    set_credits(unlimited, 0)
    set_credits(stranger, 500)
    for number in range(3):
        order(f"free{number}")
    for number in range(35):
        order(f"paid{number}", by=stranger)

    done = run(38)

    places = [done.index(f"free{number}") for number in range(3)]
    assert places == [10, 21, 32]


def test_who_pays_is_never_behind_a_line_of_relaxed_ones(unlimited, stranger, order):
    set_credits(unlimited, 0)
    for number in range(20):
        order(f"free{number}")
    run(5)

    late = order("paid", by=stranger)

    assert queue_position(late) == 1
    assert run(2) == ["paid", "free5"]


def test_relaxed_ones_are_fair_among_themselves(unlimited, stranger, order):
    for user in (unlimited, stranger):
        set_credits(user, 0)
        put_on(user, "unlimited")
    for number in range(3):
        order(f"a{number}")
    for number in range(3):
        order(f"b{number}", by=stranger)

    assert run(6) == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_they_take_nothing_from_their_owners_paid_ones(unlimited, order):
    set_credits(unlimited, 0)
    for number in range(3):
        order(f"free{number}")
    set_credits(unlimited, 5)

    assert order("paid").turn == 0
    assert run(4) == ["paid", "free0", "free1", "free2"]


def test_canceling_one_moves_the_others_of_its_line_up(unlimited, order):
    set_credits(unlimited, 5)
    paid, first, second = order("paid"), order("first"), order("second")

    stop_job(job=first)

    second.refresh_from_db()
    paid.refresh_from_db()
    assert (paid.turn, second.turn) == (0, fairness.stride_of(unlimited.pk, is_relaxed=True))


def test_they_ride_in_a_batch_like_any_other(unlimited, stranger, order):
    set_credits(unlimited, 0)
    order("free", batch_key="model")
    order("paid", by=stranger, batch_key="model")

    batch = claim_batch(queue="generate", worker="worker-1")

    assert [job.label for job in batch] == ["paid", "free"]
    assert [job.turn for job in batch] == [0, 0]


def test_in_house_mode_nothing_is_relaxed(unlimited, order, settings):
    settings.CREDITS_ENABLED = False

    assert not any(order().is_relaxed for _number in range(4))
