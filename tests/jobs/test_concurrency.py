"""Many workers at once, on real PostgreSQL."""

from collections import Counter
from itertools import pairwise

import pytest
from django.utils import timezone

from jobs.claims import claim_batch, claim_job
from jobs.exceptions import LeaseLost
from jobs.execute import run_next
from jobs.leases import finish_job
from jobs.models import Job, JobEvent, State
from jobs.reconcile import reconcile
from jobs.services import stop_job, submit_job
from tests.jobs import handlers
from tests.jobs.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)

THREADS = 6


def test_every_job_is_claimed_once(submit):
    jobs = {submit("count").pk for _job in range(30)}

    def claim_all(index: int) -> list:
        claimed = []
        while job := claim_job(queue="train", worker=f"worker-{index}"):
            claimed.append(job.pk)
        return claimed

    claimed = [pk for found in at_once(claim_all) for pk in found]

    assert Counter(claimed) == Counter(jobs)


def test_batches_that_are_claimed_at_once_do_not_overlap(submit):
    jobs = {submit("together", batch_key=f"model {number % 2}").pk for number in range(30)}

    def claim_all(index: int) -> list:
        claimed = []
        while batch := claim_batch(queue="generate", worker=f"worker-{index}"):
            assert len(batch) <= 4
            assert len({job.batch_key for job in batch}) == 1
            claimed += [job.pk for job in batch]
        return claimed

    # Who finds every row taken for a moment goes home early; the next token wakes somebody.
    claimed = [pk for found in [*at_once(claim_all), claim_all(THREADS)] for pk in found]

    assert Counter(claimed) == Counter(jobs)
    assert JobEvent.objects.filter(to_state=State.RUNNING).count() == len(jobs)


def test_tokens_that_are_doubled_give_one_result(submit):
    job = submit("noop", label="once")

    at_once(lambda index: run_next(queue="generate", worker=f"worker-{index}", in_background=False))

    assert handlers.ended == [("once", "succeeded")]
    assert JobEvent.objects.filter(job=job, to_state=State.RUNNING).count() == 1


def test_one_of_many_finishers_wins(submit):
    submit("count")
    job = claim_job(queue="train", worker="worker-1")

    def finish(_index: int) -> bool:
        try:
            finish_job(job, State.SUCCEEDED)
        except LeaseLost:
            return False
        return True

    assert sorted(at_once(finish)) == [False] * (THREADS - 1) + [True]


def test_a_job_is_either_canceled_or_claimed(submit):
    jobs = [submit("count") for _job in range(12)]

    def race(index: int) -> None:
        if index % 2:
            for job in jobs:
                stop_job(job=job)
        else:
            while claim_job(queue="train", worker=f"worker-{index}"):
                pass

    at_once(race)

    assert set(Job.objects.values_list("state", flat=True)) <= {State.CANCELED, State.STOPPING, State.RUNNING}
    for job in jobs:
        moves = list(job.events.values_list("from_state", "to_state"))
        assert all(earlier[1] == later[0] for earlier, later in pairwise(moves))


def test_jobs_that_one_user_submits_at_once_get_different_turns(owner):
    at_once(lambda index: submit_job(owner=owner, kind="test.count", label=str(index)))

    assert len(set(Job.objects.values_list("turn", flat=True))) == THREADS


def test_the_reconciler_may_run_many_times_at_once(submit):
    for _job in range(5):
        submit("count")
        claim_job(queue="train", worker="worker-1")
    Job.objects.update(lease_until=timezone.now())

    rounds = at_once(lambda _index: reconcile())

    assert sum(done.recovered for done in rounds) == 5
    assert JobEvent.objects.filter(to_state=State.QUEUED, from_state=State.RUNNING).count() == 5
