"""When a waiting job will start: from how long such jobs took of late and how many workers there are.

It is a guess, and where there is nothing to guess from it says so with None.
"""

import heapq
import statistics
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from django.utils import timezone
from redis.exceptions import RedisError
from rq import Worker

from jobs import tokens
from jobs.models import Job, State
from jobs.selectors import MAX_POSITION

_RECENT = 50
# What the pages of a moment are told is looked up once.
_KEPT_SECONDS = 5


@dataclass(frozen=True)
class Pace:
    """How fast a queue goes: seconds a job, seconds until each worker that is busy is free, workers."""

    job_seconds: float
    busy_seconds: tuple[float, ...]
    workers: int


def estimate_start(job: Job, position: int) -> timedelta | None:
    """Return how long the job that has this place in its queue will wait; None when that is not known.

    At most three queries, for all pages of five seconds together.
    """
    if not 0 < position < MAX_POSITION:
        return None
    pace = _pace(job.kind, job.queue, int(time.monotonic() // _KEPT_SECONDS))
    if pace is None:
        return None
    idle = max(0, pace.workers - len(pace.busy_seconds))
    free_at = [*pace.busy_seconds, *[0.0] * idle]
    heapq.heapify(free_at)
    for _job_ahead in range(position - 1):
        heapq.heapreplace(free_at, free_at[0] + pace.job_seconds)
    return timedelta(seconds=free_at[0])


def forget_pace() -> None:
    """Look everything up anew at the next question."""
    _pace.cache_clear()


@lru_cache(maxsize=32)
def _pace(kind: str, queue: str, _tick: int) -> Pace | None:
    job_seconds = _median_seconds(kind, queue)
    workers = _count_workers(queue)
    if job_seconds is None or not workers:
        return None
    now = timezone.now()
    working = Job.objects.working().filter(queue=queue).only("progress", "started_at")
    busy = tuple(_seconds_left(job, job_seconds, now) for job in working[:MAX_POSITION])
    return Pace(job_seconds, busy, max(workers, len(busy)))


def _median_seconds(kind: str, queue: str) -> float | None:
    """How long the newest ended jobs of a kind worked, in their last attempt."""
    started = Job.objects.filter(queue=queue).exclude(state__in=[State.QUEUED, State.CANCELED])
    ended = started.filter(kind=kind, state__in=[State.SUCCEEDED, State.STOPPED], started_at__isnull=False)
    times = ended.order_by("-turn").values_list("started_at", "finished_at")[:_RECENT]
    seconds = [(finished - began).total_seconds() for began, finished in times if finished]
    return statistics.median(seconds) if seconds else None


def is_served(queue: str) -> bool:
    """Whether there is a worker for the queue; also True while Redis, which would know, is away."""
    try:
        return Worker.count(queue=tokens.token_queue(queue)) > 0
    except RedisError:
        return True


def _count_workers(queue: str) -> int:
    try:
        return Worker.count(queue=tokens.token_queue(queue))
    except RedisError:
        return 0


def _seconds_left(job: Job, job_seconds: float, now: datetime) -> float:
    """How long a working job will still take: what it says itself, else as long as the others took."""
    eta = job.progress.get("eta_seconds")
    if eta is not None:
        return float(eta)
    begun = job.started_at or now
    return max(0.0, job_seconds - (now - begun).total_seconds())
