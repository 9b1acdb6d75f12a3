"""What the rest of the house does with jobs: submit, stop, resume, ask for a sample or a snapshot."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from jobs import registry, tokens
from jobs.exceptions import MoveRefusedError
from jobs.fairness import close_gap, next_turn
from jobs.models import Job, JobEvent, State
from jobs.moves import lock_job, move_job
from jobs.progress import ask_to_look
from jobs.revisions import new_revision
from jobs.stopping import ask_worker_to_stop


@transaction.atomic
def submit_job(
    *,
    owner: User,
    kind: str,
    label: str,
    total: int = 0,
    price: int = 0,
    deadline_at: datetime | None = None,
) -> Job:
    """Put a piece of work into its queue.

    Effect: inserts the row and its first event; wakes a worker when the transaction commits. Call it in the
    transaction that writes the work itself, so that both stand or neither does. With Redis away the job
    waits: the dispatcher finds it later.

    Raises:
        KeyError: no installed app registered `kind`.
    """
    known = registry.get(kind)
    job: Job = Job.objects.create(
        owner=owner,
        kind=known.name,
        queue=known.queue,
        label=label[:200],
        max_failures=known.max_failures,
        total=total,
        price_held=price,
        deadline_at=deadline_at,
        queued_at=timezone.now(),
        turn=next_turn(owner_id=owner.pk, queue=known.queue),
    )
    JobEvent.objects.create(job=job, to_state=State.QUEUED, attempt=job.attempt, cause="submitted")
    _after_commit(partial(tokens.send, job.queue))
    return job


@transaction.atomic
def stop_job(*, job: Job, cause: str = "the owner asked", explanation: str = "") -> Job:
    """Stop a job. Return it as it stands now.

    Effect: one that waits is canceled at once; one that runs becomes STOPPING, and its worker saves what
    there is and stops after the step it is in. One that is stopping or has ended stays as it is.
    `explanation` is shown to the owner where it was not the owner who asked.
    """
    row = lock_job(job)
    if row.state == State.QUEUED:
        move_job(row, State.CANCELED, cause=cause, error=explanation, finished_at=timezone.now())
        close_gap(row)
    elif row.state == State.RUNNING:
        asked_at = timezone.now()
        move_job(row, State.STOPPING, cause=cause, error=explanation, cancel_requested_at=asked_at)
        _after_commit(partial(ask_to_look, row.pk))
        _after_commit(partial(ask_worker_to_stop, row))
    return row


def request_snapshot(*, job: Job) -> Job:
    """Have a running job save itself after its step. Raises MoveRefusedError when it does not run."""
    return _request(job, "snapshot_requested_at")


def request_sample(*, job: Job) -> Job:
    """Have a running job show what it makes now. Raises MoveRefusedError when it does not run."""
    return _request(job, "sample_requested_at")


@transaction.atomic
def resume_job(*, job: Job, deadline_at: datetime | None = None) -> Job:
    """Let a stopped or failed job go on from what it has saved. Return it as it stands now.

    Effect: the job waits again, behind what its owner has waiting already, with all its chances.

    Raises:
        MoveRefusedError: the job is not stopped or failed, or its kind cannot go on.
    """
    row = lock_job(job)
    if not registry.get(row.kind).resumable:
        raise MoveRefusedError(_("This kind of job cannot be resumed. Start a new one instead."))
    if row.state not in (State.STOPPED, State.FAILED):
        raise MoveRefusedError(_("Only a stopped or failed job can be resumed. Reload the page to see it."))
    move_job(
        row,
        State.QUEUED,
        cause="the owner resumed it",
        turn=next_turn(owner_id=row.owner_id, queue=row.queue),
        queued_at=timezone.now(),
        deadline_at=deadline_at,
        finished_at=None,
        not_before=None,
        cancel_requested_at=None,
        snapshot_requested_at=None,
        sample_requested_at=None,
        failures=0,
        error="",
        error_reference="",
    )
    _after_commit(partial(tokens.send, row.queue))
    return row


@transaction.atomic
def _request(job: Job, column: str) -> Job:
    row = lock_job(job)
    if row.state != State.RUNNING:
        raise MoveRefusedError(_("The training is not running. Wait until it is, or resume it first."))
    setattr(row, column, timezone.now())
    row.rev = new_revision(row.rev)
    row.save(update_fields=[column, "rev"])
    _after_commit(partial(ask_to_look, row.pk))
    return row


def _after_commit(action: Callable[[], None]) -> None:
    """Do what only hints at a change once the change is there; its fault must not reach the caller."""
    transaction.on_commit(action, robust=True)
