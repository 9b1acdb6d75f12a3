"""Every move between states: the allowed ones happen, all others are refused."""

from datetime import timedelta
from itertools import product

import pytest
from django.utils import timezone

from jobs.exceptions import LeaseLost, MoveRefusedError
from jobs.models import WORKING_STATES, Job, JobEvent, State
from jobs.moves import move_job
from jobs.states import ENDED_STATES, MOVES
from tests.jobs import handlers

pytestmark = pytest.mark.django_db

ALLOWED = {
    ("queued", "running"),
    ("queued", "canceled"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("running", "stopping"),
    ("running", "queued"),
    ("stopping", "stopped"),
    ("stopping", "failed"),
    ("stopping", "succeeded"),
    ("stopped", "queued"),
    ("failed", "queued"),
}


def lease(state: str) -> dict:
    return {"lease_until": timezone.now() + timedelta(minutes=1)} if state in WORKING_STATES else {}


def job_in(state: str, owner) -> Job:
    return Job.objects.create(owner=owner, kind="test.noop", queue="generate", state=state, **lease(state))


@pytest.mark.parametrize(("source", "target"), list(product(State.values, State.values)))
def test_move(owner, source, target):
    job = job_in(source, owner)

    if (source, target) in ALLOWED:
        move_job(job, target, cause="the test", **lease(target))
    else:
        with pytest.raises(MoveRefusedError):
            move_job(job, target, cause="the test", **lease(target))

    now = Job.objects.get(pk=job.pk)
    events = list(JobEvent.objects.filter(job=job).values_list("from_state", "to_state", "cause"))
    if (source, target) in ALLOWED:
        assert now.state == target
        assert events == [(source, target, "the test")]
        assert (now.lease_until is None) == (target not in WORKING_STATES)
    else:
        assert now.state == source
        assert events == []


def test_the_table_names_every_state():
    assert set(MOVES) == set(State)
    assert {state for state in State if state in ENDED_STATES} == set(ENDED_STATES)


def test_a_move_from_what_the_row_no_longer_is_changes_nothing(owner):
    job = job_in(State.QUEUED, owner)
    Job.objects.filter(pk=job.pk).update(state=State.CANCELED)

    with pytest.raises(LeaseLost):
        move_job(job, State.RUNNING, cause="late", **lease(State.RUNNING))

    assert not JobEvent.objects.filter(job=job).exists()


def test_every_change_raises_the_revision(owner):
    job = job_in(State.QUEUED, owner)
    Job.objects.filter(pk=job.pk).update(rev=job.rev + 10**12)
    job.refresh_from_db()
    before = job.rev

    move_job(job, State.CANCELED, cause="the test")

    assert Job.objects.get(pk=job.pk).rev > before


def test_the_kind_is_told_of_the_end(owner):
    job = job_in(State.QUEUED, owner)

    move_job(job, State.CANCELED, cause="the test")

    assert handlers.ended == [("", "canceled")]
