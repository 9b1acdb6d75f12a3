"""The plan's limits: jobs at once, hours at a time."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from billing.models import Plan
from jobs.claims import claim_job
from jobs.leases import abandon_attempt, fail_job, finish_job, requeue_job
from jobs.limits import release_held_back
from jobs.models import Job, State
from jobs.reconcile import reconcile
from jobs.services import resume_job, stop_job, submit_job
from tests.jobs.threads import at_once

pytestmark = pytest.mark.django_db

HOUR = 3600


def held_back() -> list[str]:
    return list(Job.objects.held_back().values_list("label", flat=True))


def allow(**fields: object) -> None:
    Plan.objects.filter(slug="free").update(**fields)


def test_one_at_once_on_the_free_plan(submit, claim):
    for label in "abc":
        submit("limited", label=label)

    assert held_back() == ["b", "c"]
    first = claim()
    assert claim_job(queue="train", worker="worker-2") is None

    finish_job(first, State.SUCCEEDED)

    assert held_back() == ["c"]
    assert claim().label == "b"


@pytest.mark.parametrize("end", ["failed", "stopped", "canceled", "lost"])
def test_every_end_lets_the_next_one_go(submit, claim, end):
    job = submit("limited", label="a")
    submit("limited", label="b")
    if end == "canceled":
        stop_job(job=job)
    else:
        claimed = claim()
        if end == "failed":
            fail_job(claimed, error="Sorry.", cause="fault", is_final=True)
        elif end == "stopped":
            finish_job(claimed, State.STOPPED)
        else:
            stop_job(job=job)
            abandon_attempt(claimed, cause="its worker is gone")

    assert held_back() == []


def test_a_job_that_is_tried_again_keeps_its_place(submit, claim):
    submit("limited", label="a")
    submit("limited", label="b")
    requeue_job(claim(), cause="the worker had to leave")

    assert held_back() == ["b"]
    assert claim().label == "a"


def test_canceling_a_held_back_job_lets_nobody_go(submit):
    submit("limited", label="a")
    second = submit("limited", label="b")
    submit("limited", label="c")
    stop_job(job=second)

    assert held_back() == ["c"]


def test_a_resumed_job_is_held_back_too(submit, claim):
    job = submit("limited", label="a")
    finish_job(claim(), State.STOPPED)
    submit("limited", label="b")
    resume_job(job=job)

    assert held_back() == ["a"]


def test_others_and_other_kinds_are_not_held_back(submit, stranger):
    submit("limited", label="a")
    submit("limited", label="b", by=stranger)
    submit("count", label="c")
    submit("noop", label="d")

    assert held_back() == []


def test_a_larger_plan_lets_more_go(submit):
    for label in "abcd":
        submit("limited", label=label)
    assert release_held_back() == 0

    allow(experiments_at_once=3)

    assert release_held_back() == 2
    assert held_back() == ["d"]
    assert release_held_back() == 0


def test_a_held_back_job_takes_its_turn_when_it_is_let_go(submit, claim, stranger):
    """It waited for its own owner, so it gets no credit for it with the others."""
    submit("limited", label="a")
    waiting = submit("limited", label="b")
    first = claim()
    for number in range(5):
        submit("count", by=stranger, label=f"s{number}")
        newest = claim()
        finish_job(newest, State.SUCCEEDED)
    finish_job(first, State.SUCCEEDED)

    waiting.refresh_from_db()
    assert waiting.turn == newest.turn > 0


def test_held_back_rows_do_not_push_the_owners_other_jobs_away(submit, stranger):
    for number in range(20):
        submit("limited", label=f"a{number}")
    submit("count", by=stranger)
    other = submit("count", label="other")

    assert other.turn == 1_000_000  # behind the owner's first, not behind twenty


def test_three_hours_at_a_time_on_the_free_plan(submit, claim):
    submit("limited")
    job = claim()

    assert job.seconds_left == 3 * HOUR
    assert job.deadline_at - job.started_at == timedelta(hours=3)


def test_only_working_time_counts_over_all_attempts(submit, claim):
    submit("limited")
    job = claim()
    Job.objects.update(started_at=timezone.now() - timedelta(hours=1), queued_at=timezone.now())
    requeue_job(job, cause="the worker had to leave")
    waiting = Job.objects.get()
    assert waiting.deadline_at is None
    assert abs(waiting.seconds_left - 2 * HOUR) <= 1

    again = claim()
    assert abs((again.deadline_at - again.started_at).total_seconds() - 2 * HOUR) <= 1


def test_past_its_time_it_stops_says_why_and_gets_as_much_again(submit, claim):
    job = submit("limited")
    claimed = claim()
    Job.objects.update(deadline_at=timezone.now() - timedelta(seconds=1))
    assert reconcile().overdue == 1
    finish_job(claimed, State.STOPPED)

    row = Job.objects.get()
    assert row.state == State.STOPPED
    assert "3 hours at a time" in row.error
    assert "Resume" in row.error

    resume_job(job=job)
    assert claim().seconds_left == 3 * HOUR


def test_a_job_that_is_done_when_its_time_is_up_is_done(submit, claim):
    submit("limited")
    claimed = claim()
    Job.objects.update(deadline_at=timezone.now() - timedelta(seconds=1))
    reconcile()
    finish_job(claimed, State.SUCCEEDED)

    row = Job.objects.get()
    assert (row.state, row.error) == (State.SUCCEEDED, "")


def test_plans_without_hours_have_no_deadline(submit, claim):
    allow(hours_at_a_time=None)
    submit("limited")

    assert claim().deadline_at is None


def test_house_mode_keeps_the_limits(submit, settings):
    settings.CREDITS_ENABLED = False
    for number in range(7):
        submit("limited", label=str(number))

    assert held_back() == ["5", "6"]


THREADS = 6


@pytest.mark.django_db(transaction=True)
def test_never_one_too_many_nor_one_forgotten(owner):
    """Threads submit, claim, finish and cancel at once: at most two work or wait, and all of them end."""
    allow(experiments_at_once=2)
    too_many = []

    def work(index: int) -> None:
        mine = [submit_job(owner=owner, kind="test.limited", label=f"{index}.{n}") for n in range(4)]
        stop_job(job=mine[3])
        for _round in range(20):
            job = claim_job(queue="train", worker=f"worker-{index}")
            let_through = Job.objects.active().filter(is_held_back=False).count()
            if let_through > 2:
                too_many.append(let_through)
            if job is not None:
                finish_job(job, State.SUCCEEDED)

    at_once(work, THREADS)
    release_held_back()
    while job := claim_job(queue="train", worker="the last"):
        finish_job(job, State.SUCCEEDED)

    assert too_many == []
    assert Job.objects.active().count() == 0
    assert User.objects.get().jobs.filter(state=State.SUCCEEDED).count() >= THREADS * 3
