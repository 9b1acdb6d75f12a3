"""The order in which waiting jobs are claimed."""

import pytest
from django.utils import timezone

from billing.models import CreditAccount, Plan
from billing.services import open_account
from jobs import fairness
from jobs.claims import claim_job
from jobs.leases import finish_job, requeue_job
from jobs.models import Job, State
from jobs.selectors import queue_position
from jobs.services import resume_job, stop_job

pytestmark = pytest.mark.django_db


def run(count: int) -> list[str]:
    """Do so many jobs, one after the other, and return their labels."""
    labels = []
    for _job in range(count):
        job = claim_job(queue="train", worker="worker-1")
        finish_job(job, State.SUCCEEDED)
        labels.append(job.label)
    return labels


def test_one_users_jobs_come_in_order(submit):
    for label in "abc":
        submit("count", label=label)

    assert run(3) == ["a", "b", "c"]


def test_users_take_turns(submit, stranger):
    for label in ("a1", "a2", "a3"):
        submit("count", label=label)
    for label in ("b1", "b2", "b3"):
        submit("count", by=stranger, label=label)

    assert run(6) == ["a1", "b1", "a2", "b2", "a3", "b3"]


def test_many_rows_of_one_user_do_not_hold_up_another(submit, stranger):
    for number in range(50):
        submit("count", label=f"a{number}")
    run(5)

    late = submit("count", by=stranger, label="b")

    assert queue_position(late) == 1
    assert run(2) == ["b", "a5"]


def test_a_user_who_was_away_gets_no_credit_for_it(submit, stranger):
    submit("count", by=stranger, label="b0")
    for number in range(10):
        submit("count", label=f"a{number}")
    run(11)

    for number in range(3):
        submit("count", label=f"A{number}")
        submit("count", by=stranger, label=f"B{number}")

    assert sorted(label[0] for label in run(6)[:4]) == ["A", "A", "B", "B"]


def test_a_heavier_user_gets_a_larger_share(submit, stranger, monkeypatch):
    monkeypatch.setattr(fairness, "weight_of", lambda owner_id: 3 if owner_id == stranger.pk else 1)
    for number in range(12):
        submit("count", label=f"a{number}")
        submit("count", by=stranger, label=f"b{number}")

    share = [label[0] for label in run(12)]

    assert share.count("b") == 9


def test_canceling_moves_the_owners_later_jobs_up(submit, stranger):
    first, second, *_rest = [submit("count", label=f"a{number}") for number in range(4)]
    for number in range(4):
        submit("count", by=stranger, label=f"b{number}")

    stop_job(job=first)
    stop_job(job=second)

    assert run(4) == ["a2", "b0", "a3", "b1"]


def test_a_job_that_was_given_back_comes_first_again(submit, claim, stranger):
    submit("count", label="a0")
    submit("count", label="a1")
    submit("count", by=stranger, label="b0")

    requeue_job(claim(), cause="the worker had to leave")

    assert run(3) == ["a0", "b0", "a1"]


def test_a_resumed_job_waits_behind_the_owners_others(submit, claim):
    job = submit("count", label="a0")
    finish_job(claim(), State.STOPPED)
    submit("count", label="a1")

    resume_job(job=job)

    assert run(2) == ["a1", "a0"]


def test_queues_do_not_count_against_each_other(submit, stranger):
    for _number in range(5):
        submit("noop")

    assert submit("count").turn == 0


def test_queue_position(submit, stranger, claim):
    jobs = [submit("count"), submit("count"), submit("count", by=stranger)]

    assert [queue_position(job) for job in jobs] == [1, 3, 2]
    claim()
    jobs[0].refresh_from_db()
    assert [queue_position(job) for job in jobs] == [0, 2, 1]


def test_a_thousand_rows_delay_another_users_first_job_by_one_at_most(submit, claim, owner, stranger):
    submit("count", label="a0")
    rows = [
        Job(owner=owner, kind="test.count", queue="train", label=f"a{number}", turn=number * fairness.STRIDE,
            queued_at=timezone.now())
        for number in range(1, 1000)
    ]  # fmt: skip
    Job.objects.bulk_create(rows)
    assert Job.objects.waiting("train").count() == 1000
    running = claim()

    submit("count", by=stranger, label="b0")
    finish_job(running, State.SUCCEEDED)

    assert run(3) == ["b0", "a1", "a2"]


def test_a_heavy_user_who_always_has_work_waiting_starves_nobody(submit, stranger):
    """However long it goes on: a job waits for what is being done and the heavy user's fair turns."""
    Plan.objects.filter(slug="pro").update(weight=5)
    account = open_account(user=submit("count", label="heavy").owner)
    CreditAccount.objects.filter(pk=account.pk).update(plan="pro")
    for _job in range(10):
        submit("count", label="heavy")
    waits = []
    for number in range(8):
        submit("count", by=stranger, label=f"light{number}")
        waited = 0
        while run(1) != [f"light{number}"]:
            submit("count", label="heavy")
            waited += 1
        waits.append(waited)

    assert max(waits) <= 6  # five for its weight, and one that had begun


def test_the_weight_is_the_plans(owner, stranger, settings):
    account = open_account(user=owner)
    CreditAccount.objects.filter(pk=account.pk).update(plan="pro")

    assert (fairness.weight_of(owner.pk), fairness.weight_of(stranger.pk)) == (2, 1)
    settings.CREDITS_ENABLED = False
    assert fairness.weight_of(owner.pk) == 1
