"""What workers do with rows, and the fence that keeps late ones out."""

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.claims import claim_job
from jobs.exceptions import LeaseLost
from jobs.leases import abandon_attempt, beat_job, fail_job, finish_job, requeue_job
from jobs.models import Job, JobEvent, State
from jobs.progress import Report
from jobs.services import stop_job

pytestmark = pytest.mark.django_db


def now(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def lose(job: Job) -> None:
    """Give the job to another attempt, as the reconciler and the next worker would."""
    abandon_attempt(now(job), cause="silent")
    Job.objects.update(not_before=None)
    assert claim_job(queue=job.queue, worker="worker-2") is not None


def test_claim(submit):
    job = submit("count", total=9)

    claimed = claim_job(queue="train", worker="worker-1", device="cuda", threads=2)

    assert claimed == job
    row = now(job)
    assert (row.state, row.attempt, row.worker) == (State.RUNNING, 1, "worker-1")
    assert (row.device, row.threads) == ("cuda", 2)
    assert row.lease_until > timezone.now()
    event = JobEvent.objects.get(job=job, to_state=State.RUNNING)
    assert (event.from_state, event.attempt, event.worker) == (State.QUEUED, 1, "worker-1")


def test_claim_finds_nothing(submit):
    submit("noop")
    assert claim_job(queue="train", worker="worker-1") is None


def test_claim_leaves_what_must_wait(submit):
    submit("count")
    Job.objects.update(not_before=timezone.now() + timedelta(minutes=1))

    assert claim_job(queue="train", worker="worker-1") is None
    assert claim_job(queue="train", worker="worker-1", now=timezone.now() + timedelta(minutes=2)) is not None


def test_claim_leaves_kinds_that_only_a_newer_worker_knows(submit):
    submit("count")
    Job.objects.update(kind="test.newer")

    assert claim_job(queue="train", worker="worker-1") is None


def test_a_training_keeps_its_threads_when_it_goes_on(submit, claim):
    submit("count")
    requeue_job(claim_job(queue="train", worker="worker-1", threads=2), cause="leaving")

    assert claim_job(queue="train", worker="worker-2", threads=1).threads == 2


def test_beat_extends_the_lease_and_writes_progress(submit, claim):
    job = submit("count")
    claimed = claim()
    Job.objects.update(lease_until=timezone.now())

    requests = beat_job(claimed, Report(step=3, total=9, message="half way", values={"loss": 0.5}))

    row = now(job)
    assert requests.state == State.RUNNING
    assert row.lease_until > timezone.now() + timedelta(seconds=20)
    assert (row.step, row.total, row.progress["message"]) == (3, 9, "half way")
    assert row.rev > claimed.rev


def test_beat_brings_back_what_was_asked(submit, claim):
    job = submit("count")
    claimed = claim()
    stop_job(job=job)

    assert beat_job(claimed).state == State.STOPPING


def test_finish_applies_the_last_writes_in_its_transaction(submit, claim):
    job = submit("count")

    finish_job(claim(), State.SUCCEEDED, apply=lambda: Job.objects.filter(pk=job.pk).update(label="applied"))

    row = now(job)
    assert (row.state, row.label, row.lease_until) == (State.SUCCEEDED, "applied", None)
    assert row.finished_at is not None


def test_finish_undoes_the_last_writes_when_they_fail(submit, claim):
    job = submit("count")
    claimed = claim()

    def apply() -> None:
        Job.objects.filter(pk=job.pk).update(label="applied")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        finish_job(claimed, State.SUCCEEDED, apply=apply)

    assert (now(job).state, now(job).label) == (State.RUNNING, "count")


def test_work_that_stops_by_itself_passes_through_stopping(submit, claim):
    job = submit("count")

    finish_job(claim(), State.STOPPED)

    assert list(job.events.values_list("to_state", flat=True)) == ["queued", "running", "stopping", "stopped"]


@pytest.mark.parametrize(
    "late",
    [
        beat_job,
        lambda job: beat_job(job, Report(step=99, total=99)),
        lambda job: finish_job(job, State.SUCCEEDED, apply=lambda: pytest.fail("written behind the fence")),
        lambda job: finish_job(job, State.STOPPED),
        lambda job: requeue_job(job, cause="late"),
        lambda job: fail_job(job, error="late", cause="late"),
        lambda job: abandon_attempt(job, cause="late"),
    ],
)
def test_a_late_attempt_changes_nothing(submit, claim, late):
    job = submit("count")
    paused = claim()
    lose(paused)
    before = Job.objects.filter(pk=job.pk).values().get()

    with pytest.raises(LeaseLost):
        late(paused)

    assert Job.objects.filter(pk=job.pk).values().get() == before


def test_a_finished_attempt_cannot_finish_again(submit, claim):
    submit("count")
    claimed = claim()
    finish_job(claimed, State.SUCCEEDED)

    with pytest.raises(LeaseLost):
        finish_job(claimed, State.SUCCEEDED)


def test_requeue_counts_no_failure_and_keeps_the_place(submit, claim):
    job = submit("count")
    turn = job.turn

    requeue_job(claim(), cause="the worker had to leave", report=Report(step=7, total=9))

    row = now(job)
    assert (row.state, row.failures, row.turn, row.step) == (State.QUEUED, 0, turn, 7)


def test_requeue_of_a_stopping_job_stops_it(submit, claim):
    job = submit("count")
    claimed = claim()
    stop_job(job=job)

    requeue_job(claimed, cause="the worker had to leave")

    assert now(job).state == State.STOPPED


def test_faults_are_tried_again_until_there_are_too_many(submit, settings):
    settings.JOBS_RETRY_SECONDS = 600
    job = submit("crash")

    pauses = []
    for _attempt in range(3):
        later = timezone.now() + timedelta(hours=1)
        fail_job(claim_job(queue="light", worker="worker-1", now=later), error="Sorry.", cause="fault")
        if now(job).state == State.QUEUED:
            pauses.append(round((now(job).not_before - timezone.now()).total_seconds() / 600))

    assert pauses == [1, 2]
    assert (now(job).state, now(job).failures, now(job).error) == (State.FAILED, 3, "Sorry.")


def test_a_final_failure_is_not_tried_again(submit):
    job = submit("crash")

    fail_job(
        claim_job(queue="light", worker="worker-1"), error="Add pictures.", cause="refused", is_final=True
    )

    assert (now(job).state, now(job).failures) == (State.FAILED, 1)


def test_a_fault_while_stopping_is_final(submit, claim):
    job = submit("count")
    claimed = claim()
    stop_job(job=job)

    fail_job(claimed, error="Sorry.", cause="fault")

    assert now(job).state == State.FAILED


def test_a_lost_attempt_that_had_got_on_is_no_failure(submit, claim):
    job = submit("count")
    for step in range(1, 8):
        claimed = claim()
        beat_job(claimed, Report(step=step, total=9))
        abandon_attempt(claimed, cause="silent")

    assert (now(job).state, now(job).failures, now(job).attempt) == (State.QUEUED, 0, 7)


def test_a_job_that_keeps_killing_its_worker_fails(submit, claim):
    job = submit("count")
    for _attempt in range(3):
        Job.objects.update(not_before=None)
        abandon_attempt(claim(), cause="silent")

    assert (now(job).state, now(job).failures) == (State.FAILED, 3)
    assert "Try again later" in now(job).error


def test_a_stopping_job_whose_worker_is_gone_is_stopped(submit, claim):
    job = submit("count")
    claimed = claim()
    stop_job(job=job)

    abandon_attempt(claimed, cause="silent")

    assert now(job).state == State.STOPPED
