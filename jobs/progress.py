"""How far a job is: a Redis hash, written every second, in front of the row, written every few.

The row is the truth about the state; the hash is only fresher about the rest. Nothing here fails when Redis
is away or holds nonsense: the row then has to do.
"""

import contextlib
import json
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from redis.exceptions import RedisError

from jobs.estimates import estimate_start
from jobs.models import Job, State
from jobs.redis_client import hints, watch
from jobs.revisions import new_revision
from jobs.selectors import MAX_POSITION, queue_position

logger = logging.getLogger(__name__)

_KEPT_SECONDS = 24 * 3600
_WAIT_SHOWN_MICROSECONDS = 30_000_000


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a worker last said of its job."""

    step: int
    total: int
    eta_seconds: float | None = None
    message: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    preview: str = ""

    def details(self) -> dict[str, Any]:
        """Return what the row keeps in its `progress` column."""
        return {
            "eta_seconds": self.eta_seconds,
            "message": self.message,
            "values": dict(self.values),
            "preview": self.preview,
        }


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What a page shows of a job.

    `queue_position` is 1 for the job that comes next, 0 for one that is held back, None for one that does not
    wait. `starts_in` is how long it will wait, where that can be guessed. `is_queue_away`: the job waits, and
    Redis, which wakes the workers, does not answer.
    """

    rev: int
    state: State
    step: int
    total: int
    eta_seconds: float | None
    message: str
    values: Mapping[str, float]
    preview: str
    queue_position: int | None = None
    starts_in: timedelta | None = None
    is_queue_away: bool = False

    @property
    def percent(self) -> int:
        """How much is done, from 0 to 100."""
        return min(100, 100 * self.step // self.total) if self.total else 0

    @property
    def is_far_back(self) -> bool:
        """Whether the place in the queue is beyond what is counted."""
        return self.queue_position == MAX_POSITION


def read_progress(job: Job) -> Progress:
    """Return the newest that is known of a job whose row the caller has just read."""
    state = State(job.state)
    row = Report(step=job.step, total=job.total, **job.progress)
    if state == State.QUEUED:
        position, is_away = queue_position(job), watch.is_away()
        rev = _waiting_revision(job, position, is_away=is_away)
        return replace(
            _as_progress(row, state=state, rev=rev),
            queue_position=position,
            starts_in=None if is_away else estimate_start(job, position),
            is_queue_away=is_away,
        )
    if not job.is_working:
        return _as_progress(row, state=state, rev=job.rev)
    rev, fresh = _read_hash(job)
    if fresh is None:
        return _as_progress(row, state=state, rev=job.rev)
    return _as_progress(fresh, state=state, rev=max(rev, job.rev))


def current_revision(job: Job) -> int:
    """Return the `rev` of `read_progress(job)` without the rest: all that a poll has to know at first."""
    if job.state == State.QUEUED:
        return _waiting_revision(job, queue_position(job), is_away=watch.is_away())
    return max(job.rev, _read_hash(job)[0]) if job.is_working else job.rev


def publish(job_id: uuid.UUID, *, attempt: int, rev: int, report: Report) -> bool:
    """Write the hash of an attempt. Return whether its worker has been asked to look at the row at once."""
    body = json.dumps(
        {"attempt": attempt, "rev": rev, "step": report.step, "total": report.total, **report.details()}
    )
    with contextlib.suppress(RedisError):
        pipeline = hints().pipeline(transaction=False)
        pipeline.set(_progress_key(job_id), body, ex=_KEPT_SECONDS)
        pipeline.getdel(_look_key(job_id))
        return pipeline.execute()[1] is not None
    return False


def is_asked_to_look(job_id: uuid.UUID) -> bool:
    """Whether the worker has been asked to look at the row at once; the question is taken away."""
    with contextlib.suppress(RedisError):
        return hints().getdel(_look_key(job_id)) is not None
    return False


def ask_to_look(job_id: uuid.UUID) -> None:
    """Have the job's worker look at the row within its next pulse instead of its next heartbeat."""
    with contextlib.suppress(RedisError):
        hints().set(_look_key(job_id), 1, ex=60)


def forget(job_id: uuid.UUID) -> None:
    """Remove what Redis knows of a job that has ended: its row says everything."""
    with contextlib.suppress(RedisError):
        hints().delete(_progress_key(job_id), _look_key(job_id))


def _waiting_revision(job: Job, position: int, *, is_away: bool) -> int:
    """Return a revision that changes with the job's place, the queue's presence and time; the row does not.

    Every half minute the page learns how long it will still take. That adds a thousandth of the time that has
    passed, so the job's next revision, which is the time itself, is always higher.
    """
    ticks = (new_revision() - job.rev) // _WAIT_SHOWN_MICROSECONDS
    return job.rev + ticks * _WAIT_SHOWN_MICROSECONDS // 1000 - 2 * position - is_away


def _read_hash(job: Job) -> tuple[int, Report | None]:
    """Return the revision and report that the present attempt left in Redis, or (0, None)."""
    if watch.is_away():
        return 0, None
    try:
        body = hints().get(_progress_key(job.pk))
        if body is None:
            return 0, None
        known = json.loads(body)
        if int(known["attempt"]) != job.attempt:
            return 0, None
        eta = known["eta_seconds"]
        return int(known["rev"]), Report(
            step=int(known["step"]),
            total=int(known["total"]),
            eta_seconds=None if eta is None else float(eta),
            message=str(known["message"]),
            values={str(name): float(value) for name, value in known["values"].items()},
            preview=str(known["preview"]),
        )
    except (RedisError, ValueError, TypeError, KeyError, AttributeError) as error:
        logger.warning("No fresh progress of job %s from Redis: %s", job.pk, error)
        return 0, None


def _as_progress(report: Report, *, state: State, rev: int) -> Progress:
    return Progress(
        rev=rev,
        state=state,
        step=report.step,
        total=report.total,
        eta_seconds=report.eta_seconds,
        message=report.message,
        values=report.values,
        preview=report.preview,
    )


def _progress_key(job_id: uuid.UUID) -> str:
    return f"atelier:progress:{job_id}"


def _look_key(job_id: uuid.UUID) -> str:
    return f"atelier:look:{job_id}"
