"""What a worker does with a row it has claimed (`jobs.claims`): keep it, and give it up in one of five ways.

Every function names the attempt it speaks for. An attempt that no longer holds the job changes nothing and
gets LeaseLost: that is the fence behind which a late, paused or doubled worker stays.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from jobs import conf, registry
from jobs.exceptions import LeaseLost
from jobs.models import WORKING_STATES, Job, State
from jobs.moves import lock_attempt, move_job
from jobs.progress import Report
from jobs.revisions import new_revision

_LOST = _("The machine broke off this job several times. Try again later, or with less to do at once.")


@dataclass(frozen=True)
class Requests:
    """What has been asked of an attempt, as its row says."""

    state: str
    snapshot_requested_at: datetime | None
    sample_requested_at: datetime | None


def beat_job(job: Job, report: Report | None = None) -> Requests:
    """Say that the attempt is alive, write down how far it is, and return what has been asked of it.

    Effect: one UPDATE on (pk, attempt, working state). Raises LeaseLost.
    """
    now = timezone.now()
    fields: dict[str, Any] = {"heartbeat_at": now, "lease_until": lease_end(job, now)}
    if report is not None:
        fields |= _written_down(report) | {"rev": new_revision(job.rev)}
    held = Job.objects.filter(pk=job.pk, attempt=job.attempt, state__in=WORKING_STATES)
    if held.update(**fields) != 1:
        raise LeaseLost(str(job))
    asked = held.values_list("state", "snapshot_requested_at", "sample_requested_at").first()
    if asked is None:
        raise LeaseLost(str(job))
    return Requests(*asked)


@transaction.atomic
def finish_job(
    job: Job, to: str, *, apply: Callable[[], None] | None = None, report: Report | None = None
) -> None:
    """End an attempt that returned: SUCCEEDED or STOPPED.

    Effect: `apply` (the handler's last writes) and the change of state are one transaction, with the row
    locked. Raises LeaseLost; whatever `apply` raises undoes everything.
    """
    row = lock_attempt(job)
    if apply is not None:
        apply()
    if to == State.STOPPED and row.state == State.RUNNING:
        move_job(row, State.STOPPING, cause="the work stopped by itself", worker=job.worker)
    fields = _written_down(report) | {"finished_at": timezone.now()}
    if to == State.SUCCEEDED:
        # Asked to stop with its last step done: what was to be said about that no longer holds.
        fields |= {"error": "", "error_reference": ""}
    cause = "finished" if to == State.SUCCEEDED else "stopped as asked"
    move_job(row, to, cause=cause, worker=job.worker, **fields)


@transaction.atomic
def requeue_job(
    job: Job, *, cause: str, apply: Callable[[], None] | None = None, report: Report | None = None
) -> None:
    """Give an attempt back because its worker has to leave; it counts as no failure.

    Effect: RUNNING -> QUEUED, in the place that the job had; a STOPPING job is stopped instead, as was asked.
    `apply` as in `finish_job`. Raises LeaseLost.
    """
    row = lock_attempt(job)
    if apply is not None:
        apply()
    if row.state == State.STOPPING:
        move_job(row, State.STOPPED, cause=cause, finished_at=timezone.now(), **_written_down(report))
        return
    move_job(row, State.QUEUED, cause=cause, not_before=None, **_written_down(report))


@transaction.atomic
def fail_job(job: Job, *, error: str, cause: str, reference: str = "", is_final: bool = False) -> None:
    """End an attempt that went wrong.

    Effect: one more failure. The job waits for its next attempt, a little longer after each failure; with the
    last one, or when trying again is no use (`is_final`), or when it was stopping, it has FAILED and its
    owner reads `error`. Raises LeaseLost.
    """
    row = lock_attempt(job)
    failures = row.failures + 1
    if is_final or row.state == State.STOPPING or failures >= row.max_failures:
        move_job(
            row,
            State.FAILED,
            cause=cause,
            failures=failures,
            error=error,
            error_reference=reference,
            finished_at=timezone.now(),
        )
        return
    now = timezone.now()
    pause = timedelta(seconds=conf.seconds("JOBS_RETRY_SECONDS") * 2 ** (failures - 1))
    move_job(row, State.QUEUED, cause=cause, failures=failures, not_before=now + pause)


@transaction.atomic
def abandon_attempt(job: Job, *, cause: str) -> None:
    """Take the job from an attempt whose process is gone.

    Effect: a STOPPING job is STOPPED. A RUNNING one waits again; only if the attempt had not made a single
    step does it count as a failure, so that a long training survives any number of power cuts while a job
    that kills its worker at once does not do so for ever. Raises LeaseLost when somebody else did it first.
    """
    row = lock_attempt(job)
    if row.state == State.STOPPING:
        move_job(row, State.STOPPED, cause=cause, finished_at=timezone.now())
    elif row.step > row.claimed_step:
        move_job(row, State.QUEUED, cause=cause, not_before=None)
    else:
        fail_job(row, error=str(_LOST), cause=cause)


def lease_end(job: Job, now: datetime) -> datetime:
    """Return until when a worker that is heard of now keeps the job."""
    try:
        lease = registry.get(job.kind).lease_seconds
    except KeyError:
        lease = None
    return now + timedelta(seconds=lease or conf.seconds("JOBS_LEASE_SECONDS"))


def _written_down(report: Report | None) -> dict[str, Any]:
    if report is None:
        return {}
    return {"step": report.step, "total": report.total, "progress": report.details()}
