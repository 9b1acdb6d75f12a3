"""One attempt from claim to end."""

import os
from datetime import timedelta

import pytest
from django.utils import timezone

from jobs import machines
from jobs.claims import claim_job
from jobs.context import Outcome
from jobs.execute import run_next, sweep_workdirs, threads_for, work_root
from jobs.models import Job, State
from jobs.processes import Leaving
from jobs.testing import run_pending
from tests.jobs import handlers

pytestmark = pytest.mark.django_db


def now(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def test_success(submit):
    job = submit("noop", label="done")

    assert run_next(queue="generate", worker="worker-1", in_background=False) == [job]

    assert now(job).state == State.SUCCEEDED
    assert handlers.ended == [("done", "succeeded")]


def test_nothing_waits():
    assert run_next(queue="generate", worker="worker-1", in_background=False) == []


def test_what_the_user_can_mend(submit):
    job = submit("refuse")

    run_pending()

    assert (now(job).state, now(job).attempt) == (State.FAILED, 1)
    assert now(job).error == "These pictures cannot be used. Add at least four."
    assert now(job).error_reference == ""


def test_a_fault_is_not_shown_but_can_be_found(submit, caplog):
    job = submit("crash")

    run_pending()

    row = now(job)
    assert row.state == State.FAILED
    assert "a fault" not in row.error
    assert row.error_reference in row.error
    assert row.error_reference in caplog.text
    assert "a fault in what follows" in caplog.text


def test_a_handler_that_does_not_exist(submit, monkeypatch):
    job = submit("noop")
    monkeypatch.delattr(handlers, "noop")

    run_pending()

    assert now(job).state == State.FAILED


def test_a_worker_that_has_to_leave_claims_nothing(submit):
    submit("noop")

    assert run_next(queue="generate", worker="worker-1", leaving=Leaving(asked=True)) == []


def test_work_broken_off_by_a_leaving_worker_waits_again(submit, monkeypatch):
    job = submit("count", total=5)
    leaving = Leaving()
    monkeypatch.setattr(handlers.time, "sleep", lambda _seconds: leaving.ask())

    run_next(queue="train", worker="worker-1", leaving=leaving, in_background=False)

    assert (now(job).state, now(job).step, now(job).failures) == (State.QUEUED, 1, 0)


def test_a_lost_attempt_ends_quietly(submit, monkeypatch):
    job = submit("count", total=5)
    taken = timezone.now() + timedelta(minutes=1)

    def lose(_seconds: float) -> None:
        Job.objects.update(attempt=9, lease_until=taken)

    monkeypatch.setattr(handlers.time, "sleep", lose)

    run_next(queue="train", worker="worker-1", in_background=False)

    assert (now(job).state, now(job).attempt, now(job).step) == (State.RUNNING, 9, 0)


def test_scratch_folders_go(submit, monkeypatch, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    seen = []
    monkeypatch.setattr(handlers, "noop", lambda context: seen.append(context.workdir) or Outcome())
    submit("noop")
    leftover = work_root() / "of-a-killed-attempt"
    leftover.mkdir(parents=True)

    run_pending()
    sweep_workdirs()

    assert len(seen) == 1
    assert list(work_root().iterdir()) == []


def test_threads(submit, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: range(8))
    assert (threads_for("train"), threads_for("generate"), threads_for("light")) == (7, 7, 1)

    submit("count")
    claim_job(queue="train", worker=f"{machines.name()}:train:1")
    assert threads_for("generate") == 4

    Job.objects.update(worker="elsewhere:train:1")
    assert threads_for("generate") == 7


def test_one_core_is_enough(submit, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: range(1))
    submit("count")
    claim_job(queue="train", worker=f"{machines.name()}:train:1")

    assert threads_for("generate") == 1
