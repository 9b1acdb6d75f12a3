"""Submitting, stopping, resuming, and asking for samples and snapshots."""

import pytest
from django.db import transaction

from jobs import tokens
from jobs.exceptions import MoveRefusedError
from jobs.leases import fail_job, finish_job
from jobs.models import Job, JobEvent, State
from jobs.services import request_sample, request_snapshot, resume_job, stop_job, submit_job

pytestmark = pytest.mark.django_db


def now(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def test_submit(owner, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        job = submit_job(owner=owner, kind="test.count", label="My training", total=400)

    row = now(job)
    assert (row.state, row.queue, row.total, row.price_held) == (State.QUEUED, "train", 400, 0)
    assert (row.owner, row.label, row.max_failures) == (owner, "My training", 3)
    assert list(row.events.values_list("to_state", "cause")) == [("queued", "submitted")]
    assert tokens.token_queue("train").count == 1
    assert tokens.token_queue("generate").count == 0


def test_submit_an_unknown_kind(owner):
    with pytest.raises(KeyError):
        submit_job(owner=owner, kind="test.unknown", label="")


@pytest.mark.django_db(transaction=True)
def test_a_token_is_sent_when_the_transaction_commits(submit):
    with transaction.atomic():
        submit("count")
        assert tokens.token_queue("train").count == 0

    assert tokens.token_queue("train").count == 1


@pytest.mark.django_db(transaction=True)
def test_nothing_is_left_of_a_transaction_that_fails(submit):
    with transaction.atomic():
        submit("count")
        transaction.set_rollback(True)

    assert tokens.token_queue("train").count == 0
    assert not Job.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_submit_without_redis(submit, without_redis):
    job = submit("count")

    assert now(job).state == State.QUEUED


def test_stop_a_waiting_job(submit):
    job = submit("count")

    assert stop_job(job=job).state == State.CANCELED

    assert now(job).finished_at is not None


def test_stop_a_running_job(submit, claim):
    job = submit("count")
    claim()

    stop_job(job=job)

    assert now(job).state == State.STOPPING
    assert now(job).cancel_requested_at is not None


@pytest.mark.django_db(transaction=True)
def test_stop_without_redis(submit, claim, without_redis):
    job = submit("count")
    claim()

    assert stop_job(job=job).state == State.STOPPING


def test_stopping_twice_is_stopping_once(submit, claim):
    job = submit("count")
    claim()
    stop_job(job=job)
    asked_at = now(job).cancel_requested_at

    stop_job(job=job)

    assert now(job).cancel_requested_at == asked_at
    assert JobEvent.objects.filter(job=job, to_state=State.STOPPING).count() == 1


def test_stopping_what_has_ended_changes_nothing(submit, claim):
    job = submit("count")
    finish_job(claim(), State.SUCCEEDED)

    assert stop_job(job=job).state == State.SUCCEEDED


@pytest.mark.parametrize(
    ("request_it", "column"),
    [(request_snapshot, "snapshot_requested_at"), (request_sample, "sample_requested_at")],
)
def test_request(submit, claim, request_it, column):
    job = submit("count")
    with pytest.raises(MoveRefusedError):
        request_it(job=job)
    claim()

    request_it(job=job)

    assert getattr(now(job), column) is not None


@pytest.mark.parametrize("end", ["stopped", "failed"])
def test_resume(submit, claim, end, django_capture_on_commit_callbacks):
    job = submit("count")
    claimed = claim()
    if end == "stopped":
        stop_job(job=job)
        finish_job(claimed, State.STOPPED)
    else:
        fail_job(claimed, error="Add pictures.", cause="refused", reference="abc", is_final=True)

    with django_capture_on_commit_callbacks(execute=True):
        resume_job(job=job)

    row = now(job)
    assert (row.state, row.failures, row.error, row.error_reference) == (State.QUEUED, 0, "", "")
    assert (row.cancel_requested_at, row.finished_at) == (None, None)
    assert tokens.token_queue("train").count == 1
    assert claim().attempt == 2


def test_resume_what_is_not_stopped(submit, claim):
    job = submit("count")
    with pytest.raises(MoveRefusedError):
        resume_job(job=job)
    claim()
    with pytest.raises(MoveRefusedError):
        resume_job(job=job)


def test_resume_what_cannot_go_on(submit, claim):
    job = submit("noop")
    finish_job(claim("generate"), State.STOPPED)

    with pytest.raises(MoveRefusedError, match="Start a new one"):
        resume_job(job=job)
