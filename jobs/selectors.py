"""Questions about jobs that pages ask."""

from django.db.models import Q

from accounts.models import User
from jobs.models import Job, JobQuerySet, State


def queue_position(job: Job) -> int:
    """Return the job's place among the waiting ones of its queue: 1 comes next. 0 when it does not wait."""
    if job.state != State.QUEUED:
        return 0
    sooner = Q(turn__lt=job.turn) | Q(turn=job.turn, queued_at__lt=job.queued_at)
    return 1 + int(Job.objects.waiting(job.queue).filter(sooner).count())


def active_jobs(user: User) -> JobQuerySet:
    """Return a user's jobs that wait or work, the newest first."""
    jobs: JobQuerySet = Job.objects.owned_by(user).active()
    return jobs
