"""One door for every change of a job's state: conditional, recorded with its cause, seen by pages."""

import logging
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from jobs import progress, registry
from jobs.charging import settle_job
from jobs.exceptions import LeaseLost, MoveRefusedError
from jobs.limits import let_next_go
from jobs.models import WORKING_STATES, Job, State
from jobs.revisions import new_revision
from jobs.states import ENDED_STATES, may_move

logger = logging.getLogger(__name__)

# Every write of a worker begins with the first and every move ends with the second; built by the ORM they
# would take twice as long.
_HELD = """
SELECT * FROM jobs_job WHERE id = %(id)s AND attempt = %(attempt)s AND state = ANY(%(working)s)
FOR NO KEY UPDATE
"""
_NOTE = """
INSERT INTO jobs_jobevent (job_id, at, from_state, to_state, attempt, cause, worker)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""


def lock_job(job: Job) -> Job:
    """Return the job as it stands now, its row locked until the transaction ends."""
    locked: Job = Job.objects.select_for_update(of=("self",), no_key=True).get(pk=job.pk)
    return locked


def lock_attempt(job: Job) -> Job:
    """Return the job, locked, if `job.attempt` still holds it. Raises LeaseLost otherwise."""
    values = {"id": job.pk, "attempt": job.attempt, "working": list(WORKING_STATES)}
    held = next(iter(Job.objects.raw(_HELD, values)), None)
    if held is None:
        raise LeaseLost(str(job))
    return held


def move_job(job: Job, to: str, *, cause: str, worker: str = "", **fields: Any) -> None:
    """Change a job's state, and `fields` with it, and write the event that says why.

    The caller is in a transaction and has the row locked; `job` is brought up to date. A job that leaves its
    worker loses its lease, and one that waits again has used up some of its plan's time. With the end of a
    job, in the same transaction, its owner's next held-back job is let go, its kind is told (`on_end`), and
    its credits are settled.

    Raises:
        MoveRefusedError: no such move is allowed from the job's state.
        LeaseLost: the row is no longer what `job` says.
    """
    if not may_move(job.state, to):
        raise MoveRefusedError(_("That cannot be done now. Reload the page to see how the job stands."))
    if to not in WORKING_STATES:
        fields.setdefault("lease_until", None)
        fields |= _time_used(job, to)
    if worker:
        fields["worker"] = worker
    fields |= {"state": to, "rev": new_revision(job.rev)}
    held = Job.objects.filter(pk=job.pk, attempt=job.attempt, state=job.state)
    if held.update(**fields) != 1:
        raise LeaseLost(str(job))
    source = job.state
    for name, value in fields.items():
        setattr(job, name, value)
    note_move(job, source=source, cause=cause, worker=worker)
    if to in ENDED_STATES:
        if job.kind in registry.limited_names():
            let_next_go(job.owner_id)
        _tell_kind(job)
        settle_job(job)
        transaction.on_commit(lambda: progress.forget(job.pk), robust=True)


def note_move(job: Job, *, source: str, cause: str, worker: str = "") -> None:
    """Write the event that says how the job got from `source` ("" for a new one) into the state it is in."""
    event: list[Any] = [job.pk, timezone.now(), source, job.state, job.attempt, cause[:200], worker]
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, event)


def _time_used(job: Job, to: str) -> dict[str, Any]:
    """Return what is left of the plan's time when a worker gives a job back before its end."""
    if to != State.QUEUED or not job.is_working or job.seconds_left is None or job.started_at is None:
        return {}
    used = (timezone.now() - job.started_at).total_seconds()
    return {"seconds_left": max(0, job.seconds_left - round(used)), "deadline_at": None}


def _tell_kind(job: Job) -> None:
    """Call the kind's `on_end`; a fault in it is logged, because the job has ended all the same."""
    try:
        on_end = registry.get(job.kind).on_end
    except KeyError:
        return
    if on_end is None:
        return
    try:
        with transaction.atomic():
            import_string(on_end)(job)
    except Exception:
        logger.exception("What follows the end of job %s failed", job)
