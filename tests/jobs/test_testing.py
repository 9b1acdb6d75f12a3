"""The helper that other apps' tests use."""

import pytest

from jobs.models import Queue, State
from jobs.testing import run_pending

pytestmark = pytest.mark.django_db


def test_runs_everything_that_waits(submit):
    noop, count = submit("noop"), submit("count", total=2)

    assert {job.pk for job in run_pending()} == {noop.pk, count.pk}

    noop.refresh_from_db()
    count.refresh_from_db()
    assert noop.state == State.SUCCEEDED
    assert (count.state, count.step, count.progress["values"]) == (State.SUCCEEDED, 2, {"loss": 0.5})


def test_runs_one_queue(submit):
    noop, count = submit("noop"), submit("count", total=2)

    assert run_pending(Queue.TRAIN) == [count]

    noop.refresh_from_db()
    assert noop.state == State.QUEUED


def test_tries_again_until_the_job_has_failed(submit):
    submit("crash")

    (job,) = run_pending()

    assert (job.state, job.failures, job.attempt) == (State.FAILED, 3, 3)
    assert job.error_reference in job.error
