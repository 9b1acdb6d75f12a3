"""Questions about jobs that pages ask."""

from dataclasses import dataclass

from django.db import connection
from django.db.models import F, Q, Sum

from accounts.models import User
from billing.models import CreditHold, Price
from billing.selectors import receipt_of as holds_of
from jobs.models import Job, JobQuerySet, State

# Further back than this a place is not counted: it costs the more the longer the queue is, and tells nobody
# anything any more.
MAX_POSITION = 1000
_COUNT_AHEAD = """
    SELECT count(*) FROM (
        SELECT FROM jobs_job
        WHERE queue = %s AND state = 'queued' AND NOT is_held_back AND (turn, queued_at) < (%s, %s)
        LIMIT %s
    ) ahead
"""


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What a job costs, in credits: set aside at this moment, charged, and given back."""

    price: Price
    held: int
    charged: int
    released: int


def receipt_of(job: Job) -> Receipt | None:
    """Return what a job cost so far, from the ledger; None where nothing is priced. At most two queries."""
    if job.price is None:
        return None
    is_open = Q(state=CreditHold.State.HELD)
    sums = holds_of(job.pk).aggregate(
        open=Sum("amount", filter=is_open, default=0),
        paid=Sum("charged", default=0),
        returned=Sum(F("amount") - F("charged"), filter=~is_open, default=0),
    )
    return Receipt(price=job.price, held=sums["open"], charged=sums["paid"], released=sums["returned"])


def queue_position(job: Job) -> int:
    """Return the job's place among the waiting ones of its queue: 1 comes next.

    0 when it does not wait, or waits for another job of its owner's; at most MAX_POSITION. Every poll of a
    waiting job asks this: the statement is one range of an index, and ready as it stands.
    """
    if job.state != State.QUEUED or job.is_held_back:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_AHEAD, [job.queue, job.turn, job.queued_at, MAX_POSITION - 1])
        return 1 + int(cursor.fetchone()[0])


def active_jobs(user: User) -> JobQuerySet:
    """Return a user's jobs that wait or work, the newest first."""
    jobs: JobQuerySet = Job.objects.owned_by(user).active()
    return jobs
