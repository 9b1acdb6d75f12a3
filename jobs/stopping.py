"""How a stop reaches a worker that does not heed it: a word over Redis, and the row as the truth."""

import contextlib
import uuid
from datetime import datetime, timedelta

from redis.exceptions import RedisError
from rq.command import send_command

from jobs import conf
from jobs.models import Job, Queue, State
from jobs.redis_client import hints

STOP_COMMAND = "stop-attempt"


def ask_worker_to_stop(job: Job) -> None:
    """Have the worker's parent process see to it that a STOPPING attempt ends in time, or kill it."""
    with contextlib.suppress(RedisError):
        send_command(hints(), job.worker, STOP_COMMAND, job=str(job.pk), attempt=job.attempt)


def kill_at(job: Job) -> datetime | None:
    """Return when a stop that is still not heeded becomes a kill; None when the job is not stopping."""
    if job.state != State.STOPPING or job.cancel_requested_at is None:
        return None
    quick = job.queue == Queue.GENERATE
    patience = conf.seconds("JOBS_KILL_GENERATE_SECONDS" if quick else "JOBS_KILL_SECONDS")
    return job.cancel_requested_at + timedelta(seconds=patience)


def find_stopping(job_id: uuid.UUID, attempt: int, worker: str) -> Job | None:
    """Return the job if this worker's attempt is stopping, None when there is nothing to stop any more."""
    stopping = Job.objects.filter(pk=job_id, attempt=attempt, worker=worker, state=State.STOPPING)
    job: Job | None = stopping.first()
    return job
