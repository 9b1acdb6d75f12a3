"""What keeps the promise that no job is lost or stuck: rows are compared with what should be, and mended.

Everything here locks the row, looks again and only then acts, so it may run twice at once. A row that cannot
be mended is logged, and holds up no other.
"""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from functools import partial

from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone
from psycopg.errors import LockNotAvailable

from jobs import machines, tokens
from jobs.exceptions import LeaseLost
from jobs.leases import abandon_attempt
from jobs.limits import explain_deadline, release_held_back
from jobs.models import Job, JobQuerySet, Queue, State
from jobs.moves import lock_attempt
from jobs.services import stop_job
from jobs.stopping import ask_worker_to_stop, kill_at

logger = logging.getLogger(__name__)

# So many rows in one round, so that a round stays short; the next one follows in seconds.
_BATCH = 200
# A worker that cannot even be told to kill its child has so long before its job is taken from it.
_GIVE_UP_AFTER = timedelta(seconds=10)
# How long a round waits for a row that somebody else has locked.
_LOCK_PATIENCE = "1s"
# So many tokens are kept ready for a queue in which rows wait; every job that ends adds one.
_TOKENS_READY = 16


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one round has done, in jobs (and tokens)."""

    recovered: int
    overdue: int
    pressed: int
    released: int
    tokens: int

    def __bool__(self) -> bool:
        return any(astuple(self))


def reconcile() -> Round:
    """Do one round. Raises DatabaseError when PostgreSQL is away; without Redis only tokens are missing."""
    now = timezone.now()
    return Round(
        recovered=_recover_lost_jobs(now),
        overdue=_stop_overdue_jobs(now),
        pressed=_press_unheeded_stops(now),
        released=_mend("The line of held-back jobs", release_held_back),
        tokens=sum(_wake_workers(queue, now) for queue in Queue.values),
    )


def _recover_lost_jobs(now: datetime) -> int:
    """Take jobs from workers that have not been heard of for a lease."""

    def recover(job: Job) -> bool:
        return _abandon(job, cause="its worker was not heard of any more", if_silent_since=now)

    return _count_done(recover, Job.objects.leased_out(now))


def _stop_overdue_jobs(now: datetime) -> int:
    def stop(job: Job) -> bool:
        stopped = stop_job(job=job, cause="past its deadline", explanation=explain_deadline(job))
        return stopped.state == State.STOPPING

    return _count_done(stop, Job.objects.filter(state=State.RUNNING, deadline_at__lt=now))


def _press_unheeded_stops(now: datetime) -> int:
    """Remind workers of stops that should be over, and give up on those that cannot be reached."""

    def press(job: Job) -> bool:
        due = kill_at(job)
        if due is None or due > now:
            return False
        if due + _GIVE_UP_AFTER < now:
            return _abandon(job, cause="it did not stop when asked")
        ask_worker_to_stop(job)
        return True

    return _count_done(press, Job.objects.filter(state=State.STOPPING).order_by("cancel_requested_at"))


def _count_done(act: Callable[[Job], bool], jobs: JobQuerySet) -> int:
    """Do something to each of the first rows; return how many times it was done."""
    return sum(_mend(f"Job {job}", partial(act, job)) for job in jobs[:_BATCH])


def _mend(what: str, action: Callable[[], int]) -> int:
    """Do one thing in a transaction of its own. What cannot be mended now holds up nothing else.

    That includes rows that a worker has locked and, frozen, does not let go: PostgreSQL takes them from it
    after a while (`idle_in_transaction_session_timeout`), and a later round finds them free.
    """
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{_LOCK_PATIENCE}'")
            return action()
    except (OperationalError, InterfaceError) as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise  # the database's fault, and so the round's
        logger.warning("%s is locked by somebody; it is looked at again in the next round", what)
    except Exception:
        logger.exception("%s cannot be mended", what)
    return 0


def _wake_workers(queue: str, now: datetime) -> int:
    # What fits on no machine would wake workers in vain, round after round.
    fitting = Job.objects.eligible(queue, now).filter(needs_bytes__lte=machines.largest_device(now))
    waiting = len(fitting.values_list("pk")[:_TOKENS_READY])
    return tokens.top_up(queue, waiting) if waiting else 0


def _abandon(job: Job, *, cause: str, if_silent_since: datetime | None = None) -> bool:
    """Take a job from its attempt, unless it has changed hands or been heard of meanwhile."""
    with contextlib.suppress(LeaseLost), transaction.atomic():
        row = lock_attempt(job)
        if if_silent_since is not None and row.lease_until is not None and row.lease_until >= if_silent_since:
            return False
        abandon_attempt(row, cause=cause)
        logger.warning("Took job %s from %s: %s", row, row.worker, cause)
        return True
    return False
