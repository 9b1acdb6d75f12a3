"""What the rest of the house does with jobs: submit, stop, resume, ask for a sample or a snapshot."""

from collections.abc import Callable
from functools import partial

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.exceptions import NotYetError
from accounts.models import User
from billing.exceptions import CreditsShort
from billing.selectors import Quote, plan_limits
from jobs import registry, tokens
from jobs.charging import hold_slice, quote_next_slice
from jobs.exceptions import MoveRefusedError
from jobs.fairness import close_gap, lock_line, next_turn
from jobs.limits import take_place
from jobs.models import Job, State
from jobs.moves import lock_job, move_job, note_move
from jobs.progress import ask_to_look
from jobs.registry import JobKind
from jobs.revisions import new_revision
from jobs.stopping import ask_worker_to_stop


@transaction.atomic
def submit_job(
    *,
    owner: User,
    kind: str,
    label: str,
    total: int = 0,
    quote: Quote | None = None,
    batch_key: str = "",
    needs_bytes: int = 0,
) -> Job:
    """Put a piece of work into its queue and hold what it costs.

    Effect: inserts the row and its first event; holds the quoted credits (of a job that is paid in slices:
    those of the first); wakes a worker when the transaction commits. Call it in the transaction that writes
    the work itself, so that all stand or none does. A job over its owner's limit of jobs at once is held
    back until one of them ends. A job for which the credits are short is relaxed instead, where its kind and
    its owner's plan allow it: it costs nothing and waits behind what is paid for. With Redis away the job
    waits: the dispatcher finds it later.

    Args:
        owner: whose job it is, and who pays.
        kind: a registered `JobKind`.
        label: what its owner reads.
        total: how many steps, pictures or files there are to do.
        quote: what it costs (`billing.selectors.quote_price`); None: nothing.
        batch_key: waiting jobs with the same key may run together, in one batch.
        needs_bytes: memory of the device without which the job is not begun.

    Raises:
        KeyError: no installed app registered `kind`.
        CreditsShort: the owner has too few credits; nothing was submitted.
        AccountBlocked: the owner's account cannot spend now; nothing was submitted.
    """
    known = registry.get(kind)
    place = take_place(owner.pk, known)
    job: Job = Job.objects.create(
        owner=owner,
        kind=known.name,
        queue=known.queue,
        label=label[:200],
        max_failures=known.max_failures,
        total=total,
        price=quote.price if quote else None,
        batch_key=batch_key,
        needs_bytes=needs_bytes,
        queued_at=timezone.now(),
        turn=place.turn,
        is_held_back=place.is_held_back,
        seconds_left=place.seconds_left,
    )
    note_move(job, source="", cause="submitted")
    if quote is not None:
        _hold_or_relax(job, known, quote)
    if not job.is_held_back:
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
        lock_line(row.owner_id)
        had_turn = not row.is_held_back
        move_job(row, State.CANCELED, cause=cause, error=explanation, finished_at=timezone.now())
        if had_turn:
            close_gap(row)
    elif row.state == State.RUNNING:
        asked_at = timezone.now()
        move_job(row, State.STOPPING, cause=cause, error=explanation, cancel_requested_at=asked_at)
        _after_commit(partial(ask_to_look, row.pk))
        _after_commit(partial(ask_worker_to_stop, row))
    return row


def stop_all_jobs(owner: User) -> None:
    """Stop all jobs of somebody who leaves, so that their credits are settled before they are gone.

    Effect: as `stop_job` for each. Transaction: one a job. Raises NotYetError while one still stops.
    """
    for job in Job.objects.active().filter(owner=owner):
        stop_job(job=job, cause="the owner leaves")
    if Job.objects.active().filter(owner=owner).exists():
        raise NotYetError("a job still stops")


def forget_job(job: Job) -> None:
    """Remove the row of a job that has ended, of which nobody wants a record; with it go its events.

    Nothing may point to it any more. Jobs that were priced stay: their receipts name them.
    """
    if job.is_active or job.price_id is not None:
        raise ValueError(f"{job} is not done, or was priced")
    # Django would ask all tables that might point here; there are many, and this comes often.
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM jobs_jobevent WHERE job_id = %s", [job.pk])
        cursor.execute("DELETE FROM jobs_job WHERE id = %s", [job.pk])


def request_snapshot(*, job: Job) -> Job:
    """Have a running job save itself after its step. Raises MoveRefusedError when it does not run."""
    return _request(job, "snapshot_requested_at")


def request_sample(*, job: Job) -> Job:
    """Have a running job show what it makes now. Raises MoveRefusedError when it does not run."""
    return _request(job, "sample_requested_at")


@transaction.atomic
def resume_job(*, job: Job, cause: str = "the owner resumed it") -> Job:
    """Let a stopped or failed job go on from what it has saved. Return it as it stands now.

    Effect: the job waits again, behind what its owner has waiting already, with all its chances and all the
    time that the plan allows at a time. The credits for what comes next are held, at the price agreed when
    the job was submitted.

    Raises:
        MoveRefusedError: the job is not stopped or failed, or its kind cannot go on.
        CreditsShort: the owner has too few credits; the job stays as it is.
        AccountBlocked: the owner's account cannot spend now; the job stays as it is.
    """
    row = lock_job(job)
    known = registry.get(row.kind)
    if not known.resumable:
        raise MoveRefusedError(_("This kind of job cannot be resumed. Start a new one instead."))
    if row.state not in (State.STOPPED, State.FAILED):
        raise MoveRefusedError(_("Only a stopped or failed job can be resumed. Reload the page to see it."))
    place = take_place(row.owner_id, known, is_relaxed=row.is_relaxed)
    move_job(
        row,
        State.QUEUED,
        cause=cause,
        turn=place.turn,
        is_held_back=place.is_held_back,
        seconds_left=place.seconds_left,
        queued_at=timezone.now(),
        deadline_at=None,
        finished_at=None,
        not_before=None,
        cancel_requested_at=None,
        snapshot_requested_at=None,
        sample_requested_at=None,
        failures=0,
        error="",
        error_reference="",
    )
    hold_slice(row, quote_next_slice(row))
    if not row.is_held_back:
        _after_commit(partial(tokens.send, row.queue))
    return row


def _hold_or_relax(job: Job, known: JobKind, quote: Quote) -> None:
    """Hold what a new job costs; where the credits are short and the plan allows it, relax the job."""
    try:
        hold_slice(job, quote)
    except CreditsShort:
        if not (known.may_relax and plan_limits(job.owner_id).relaxed_queue):
            raise
        job.is_relaxed, job.price = True, None
        job.turn = next_turn(owner_id=job.owner_id, queue=job.queue, is_relaxed=True)
        job.save(update_fields=["is_relaxed", "price", "turn"])


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
