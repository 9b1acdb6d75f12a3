"""For tests of other apps: do the waiting jobs here and now, through the real claim, execute and finish."""

import uuid
from datetime import datetime, timedelta

from django.utils import timezone

from jobs.execute import new_worker_name, run_next
from jobs.models import Job, Queue


def run_pending(queue: str | None = None, *, limit: int = 1000) -> list[Job]:
    """Do every waiting job of one queue, or of all, in this process, with its retries. Return them, in order.

    No RQ, no fork, no thread: what a handler reports is on the row at once, so it also works inside the
    transaction of Django's TestCase. Raises RuntimeError after `limit` attempts.
    """
    queues = Queue.values if queue is None else [queue]
    # Retries wait a while after a fault; a test does not.
    later = timezone.now() + timedelta(days=1)
    done: dict[uuid.UUID, Job] = {}
    for _attempt in range(limit):
        jobs = next(filter(None, (_run_next(name, later) for name in queues)), [])
        if not jobs:
            # Some kinds remove their jobs when they end.
            kept = Job.objects.in_bulk(done)
            return [kept[pk] for pk in done if pk in kept]
        done |= {job.pk: job for job in jobs}
    raise RuntimeError(f"After {limit} attempts jobs are still waiting.")


def _run_next(queue: str, later: datetime) -> list[Job]:
    return run_next(queue=queue, worker=new_worker_name(queue), in_background=False, now=later)
