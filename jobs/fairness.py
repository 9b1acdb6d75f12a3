"""Whose job comes next: start-time fair queueing over users (Goyal, Vin and Cheng 1997, section 2).

Every job gets a `turn` when it begins to wait: the later of "now" (the turn of the newest started job of its
queue) and one stride after its owner's previous job. The claim takes the smallest turn. So users alternate,
one job each, in proportion to their weight; a thousand rows of one user stand a thousand strides apart, and
another user's first job goes before all but the one being run; and the claim stays one look into an index,
however many rows wait.

A job that is done for nothing (*relaxed*) stands in a second line of its owner's, whose strides are
RELAXED_STRIDES long, the first one included. So it waits until everybody else who has jobs waiting had that
many of theirs; it is never passed over for ever; and it takes nothing from its owner's paid jobs.
"""

import uuid
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import F

from billing.selectors import plan_limits
from jobs import registry
from jobs.models import Job, State

STRIDE = 1_000_000

# Of the queue's newest started job, and of the newest in the owner's line; each is one look into an index.
_NEWEST_TURNS = """
SELECT
    coalesce((SELECT turn FROM jobs_job WHERE queue = %(queue)s AND state NOT IN ('queued', 'canceled')
              ORDER BY turn DESC LIMIT 1), 0),
    (SELECT turn FROM jobs_job WHERE owner_id = %(owner)s AND queue = %(queue)s AND state <> 'canceled'
     AND is_relaxed = %(relaxed)s AND kind <> ALL(%(turnless)s) ORDER BY turn DESC LIMIT 1)
"""


def weight_of(owner_id: uuid.UUID) -> int:
    """Return a user's share of the workers relative to others: the weight of the plan."""
    return plan_limits(owner_id).weight


def stride_of(owner_id: uuid.UUID, *, is_relaxed: bool = False) -> int:
    """Return how far apart the turns of one user's jobs lie; relaxed ones have no weight."""
    return STRIDE * int(settings.RELAXED_STRIDES) if is_relaxed else STRIDE // weight_of(owner_id)


def next_turn(*, owner_id: uuid.UUID, queue: str, is_relaxed: bool = False) -> int:
    """Return the turn of a job that begins to wait now.

    The caller holds the lock on the owner's line (`lock_line`), so that two jobs that are submitted at once
    do not get the same turn.
    """
    now, previous = _newest_turns(owner_id, queue, is_relaxed=is_relaxed)
    stride = stride_of(owner_id, is_relaxed=is_relaxed)
    if is_relaxed:
        return max(now, previous or 0) + stride
    return now if previous is None else max(now, previous + stride)


def present_turn(*, owner_id: uuid.UUID, queue: str) -> int:
    """Return the turn of what stands in nobody's line: that of the queue's newest started job."""
    return _newest_turns(owner_id, queue, is_relaxed=False)[0]


def _newest_turns(owner_id: uuid.UUID, queue: str, *, is_relaxed: bool) -> tuple[int, int | None]:
    values: dict[str, Any] = {
        "queue": queue,
        "owner": owner_id,
        "relaxed": is_relaxed,
        "turnless": registry.turnless_names(),
    }
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST_TURNS, values)
        now, previous = cursor.fetchone()
    return now, previous


def close_gap(job: Job) -> None:
    """Move the owner's later waiting jobs one stride forward, into the place of one that was canceled."""
    if job.kind in registry.turnless_names():
        return
    lock_line(job.owner_id)
    later = (
        Job.objects.filter(
            owner_id=job.owner_id,
            queue=job.queue,
            is_relaxed=job.is_relaxed,
            state=State.QUEUED,
            turn__gt=job.turn,
        )
        # One that is being claimed or canceled at this moment keeps its turn: waiting for it, while it waits
        # for this line, would be a deadlock.
        .select_for_update(skip_locked=True, of=("self",), no_key=True)
    )
    pks = list(later.values_list("pk", flat=True))
    stride = stride_of(job.owner_id, is_relaxed=job.is_relaxed)
    Job.objects.filter(pk__in=pks).update(turn=F("turn") - stride)


def lock_line(owner_id: uuid.UUID) -> None:
    """Take the lock under which an owner's jobs get their turns and places, until the transaction ends.

    The order of locks is: the job's row, the owner's line, the owner's credit account. Further rows are taken
    only where nobody holds them (`SKIP LOCKED`).
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"jobs:{owner_id}"])
