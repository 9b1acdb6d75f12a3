"""How a worker takes work: the fairest of the rows that wait, and that it can do."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from jobs import registry
from jobs.leases import lease_end
from jobs.models import Job, State
from jobs.moves import move_job


@transaction.atomic
def claim_job(
    *,
    queue: str,
    worker: str,
    device: str = "cpu",
    device_bytes: int | None = None,
    threads: int = 1,
    now: datetime | None = None,
) -> Job | None:
    """Take the fairest eligible row of a queue, or return None when there is none.

    Effect: QUEUED -> RUNNING with the next attempt number and a lease. Rows that other workers are taking at
    this moment are passed over (`SKIP LOCKED`), so claims never wait for each other. Kinds that this worker
    does not know are left to a newer one, and jobs that need more than `device_bytes` to a larger one. Where
    the owner's plan limits the time of one go, its end is the job's deadline.
    """
    claimed_at = timezone.now()
    fairest = Job.objects.eligible(queue, now or claimed_at).filter(kind__in=registry.names(queue))
    if device_bytes is not None:
        fairest = fairest.filter(needs_bytes__lte=device_bytes)
    job: Job | None = fairest.select_for_update(skip_locked=True, of=("self",), no_key=True).first()
    if job is None:
        return None
    keeps_threads = registry.get(job.kind).resumable and job.threads > 0
    deadline_at = job.deadline_at
    if job.seconds_left is not None:
        deadline_at = claimed_at + timedelta(seconds=job.seconds_left)
    move_job(
        job,
        State.RUNNING,
        cause="claimed",
        worker=worker,
        attempt=job.attempt + 1,
        claimed_step=job.step,
        lease_until=lease_end(job, claimed_at),
        heartbeat_at=claimed_at,
        started_at=claimed_at,
        deadline_at=deadline_at,
        device=device,
        threads=job.threads if keeps_threads else threads,
    )
    return job
