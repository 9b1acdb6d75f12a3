"""The reconciler, one duty at a time."""

import threading
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from billing.models import Plan
from jobs import machines, tokens
from jobs.models import Job, State
from jobs.reconcile import reconcile
from jobs.redis_client import hints
from jobs.services import stop_job

pytestmark = pytest.mark.django_db


def now(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def ago(**span: int):
    return timezone.now() - timedelta(**span)


def test_nothing_to_do():
    assert not reconcile()


def test_a_job_whose_lease_has_expired_waits_again(submit, claim):
    job = submit("count")
    claim()
    Job.objects.update(lease_until=ago(seconds=1), step=3)

    assert reconcile().recovered == 1

    assert (now(job).state, now(job).failures, now(job).attempt) == (State.QUEUED, 0, 1)
    assert tokens.token_queue("train").count == 1


def test_a_job_that_is_heard_of_is_left_alone(submit, claim):
    job = submit("count")
    claim()

    assert not reconcile()

    assert now(job).state == State.RUNNING


def test_a_job_that_has_lost_its_last_chance_has_failed(submit, claim):
    job = submit("count")
    claim()
    Job.objects.update(lease_until=ago(seconds=1), failures=2)

    reconcile()

    assert now(job).state == State.FAILED
    assert "Try again later" in now(job).error


def test_a_stopping_job_whose_worker_is_dead_is_stopped(submit, claim):
    job = submit("count")
    claim()
    stop_job(job=job)
    Job.objects.update(lease_until=ago(seconds=1))

    assert reconcile().recovered == 1

    assert now(job).state == State.STOPPED


def test_rows_without_tokens_get_tokens(submit):
    for _job in range(3):
        submit("count")

    assert reconcile().tokens == 3
    assert tokens.token_queue("train").count == 3
    assert not reconcile()


def test_a_thousand_rows_get_a_few_tokens(submit):
    for _job in range(20):
        submit("count")

    assert reconcile().tokens == 16


def test_rows_that_must_wait_get_no_token(submit):
    submit("count")
    Job.objects.update(not_before=timezone.now() + timedelta(minutes=1))

    assert not reconcile()


def test_without_redis_rows_are_mended_all_the_same(submit, claim, without_redis):
    job = submit("count")
    claim()
    Job.objects.update(lease_until=ago(seconds=1))

    assert reconcile().recovered == 1

    assert now(job).state == State.QUEUED


def test_a_job_past_its_deadline_is_stopped_and_says_why(submit, claim):
    job = submit("count")
    claim()
    Job.objects.update(deadline_at=ago(seconds=1))

    assert reconcile().overdue == 1

    assert now(job).state == State.STOPPING
    assert "time limit" in now(job).error
    assert job.events.get(to_state=State.STOPPING).cause == "past its deadline"


def test_an_unheeded_stop_is_pressed_and_then_taken_away(submit, claim):
    job = submit("noop")
    claim("generate")
    stop_job(job=job)
    assert reconcile().pressed == 0

    Job.objects.update(cancel_requested_at=ago(seconds=5))
    assert reconcile().pressed == 1
    assert now(job).state == State.STOPPING

    Job.objects.update(cancel_requested_at=ago(seconds=15))
    reconcile()
    assert now(job).state == State.STOPPED


def test_a_training_gets_more_time_to_save_itself(submit, claim):
    submit("count")
    claim()
    stop_job(job=Job.objects.get())
    Job.objects.update(cancel_requested_at=ago(seconds=20))

    assert reconcile().pressed == 0


def test_dispatch_once(submit):
    submit("count")

    call_command("dispatch", "--once")

    assert tokens.token_queue("train").count == 1


def test_a_job_that_a_larger_plan_has_room_for_is_let_go(submit):
    for label in "ab":
        submit("limited", label=label)
    Plan.objects.filter(slug="free").update(experiments_at_once=2)

    assert reconcile().released == 1

    assert not Job.objects.held_back().exists()


def test_a_row_that_cannot_be_mended_holds_up_no_other(submit, claim):
    for label in ("broken", "sound"):
        submit("count", label=label)
        claim()
    Job.objects.update(lease_until=ago(seconds=1), step=3)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what is still to be checked keeps a table locked
        cursor.execute(
            "ALTER TABLE jobs_job ADD CONSTRAINT broken CHECK (label <> 'broken' OR state = 'running')"
        )

    assert reconcile().recovered == 1

    assert Job.objects.get(label="broken").state == State.RUNNING
    assert Job.objects.get(label="sound").state == State.QUEUED


def test_rows_that_fit_on_no_machine_wake_nobody(submit):
    machine = machines.register()
    submit("count", needs_bytes=machine.device_bytes + 1)
    fitting = submit("count", needs_bytes=machine.device_bytes)
    hints().flushall()

    assert reconcile().tokens == 1

    machines.drain_machine(machine=machine)
    hints().flushall()
    assert reconcile().tokens == 0
    Job.objects.filter(pk=fitting.pk).update(needs_bytes=0)
    assert reconcile().tokens == 1


@pytest.mark.django_db(transaction=True)
def test_a_row_that_a_frozen_worker_keeps_locked_holds_up_no_other(submit, claim):
    for label in ("frozen", "lost"):
        submit("count", label=label)
        claim()
    Job.objects.update(lease_until=ago(seconds=1), step=3)
    locked, reconciled = threading.Event(), threading.Event()

    def freeze():
        with transaction.atomic():
            Job.objects.select_for_update().get(label="frozen")
            locked.set()
            reconciled.wait(10)
        connection.close()

    worker = threading.Thread(target=freeze)
    worker.start()
    locked.wait(10)
    try:
        assert reconcile().recovered == 1
    finally:
        reconciled.set()
        worker.join()

    assert Job.objects.get(label="frozen").state == State.RUNNING
    assert Job.objects.get(label="lost").state == State.QUEUED
    assert reconcile().recovered == 1
