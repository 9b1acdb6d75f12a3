"""How a worker takes work: the fairest of the rows that wait and that it can do, and what may ride with it.

A claim is one statement: it finds the rows, gives them to the worker and notes why, or does nothing. It is
written in SQL because it stands in the way of every job: through the ORM, the same took twice as long.
"""

import json
import uuid
from datetime import datetime
from typing import Any, Required, TypedDict, Unpack

from django.utils import timezone

from jobs import conf, registry
from jobs.models import Job, State
from jobs.revisions import new_revision

# Of what PostgreSQL's bigint holds: no limit.
_LARGEST = 2**63 - 1

# What eligible means, besides the order; `JobQuerySet.eligible` says it to everybody else.
_ELIGIBLE = """
    state = %(queued)s AND NOT is_held_back AND (not_before IS NULL OR not_before <= %(now)s)
    AND kind = ANY(%(kinds)s) AND needs_bytes <= %(device_bytes)s
"""

_THE_FAIREST = f"""
WITH picked AS (
    SELECT id FROM jobs_job WHERE queue = %(queue)s AND {_ELIGIBLE}
        AND NOT EXISTS (SELECT FROM jobs_machine WHERE id = %(machine)s AND is_draining)
    ORDER BY turn, queued_at, id LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
)
"""  # noqa: S608 -- put together from constants

# A row that has failed before rides with nobody: if it was the row that broke a batch, it breaks no other.
_RIDERS = f"""
WITH waiting AS (
    SELECT id, total, turn, queued_at FROM jobs_job
    WHERE queue = %(queue)s AND batch_key = %(batch_key)s AND failures = 0 AND {_ELIGIBLE}
    ORDER BY turn, queued_at, id LIMIT %(room)s
    FOR NO KEY UPDATE SKIP LOCKED
), counted AS (
    SELECT id, sum(greatest(total, 1)) OVER (ORDER BY turn, queued_at, id) AS units FROM waiting
), picked AS (
    SELECT id FROM counted WHERE units <= %(room)s
)
"""  # noqa: S608 -- put together from constants

_TAKE = """
, taken AS (
    UPDATE jobs_job SET
        state = %(running)s,
        attempt = attempt + 1,
        claimed_step = step,
        turn = least(turn, %(turn)s),
        worker = %(worker)s,
        device = %(device)s,
        threads = CASE WHEN threads > 0 AND kind = ANY(%(resumable)s) THEN threads ELSE %(threads)s END,
        started_at = %(claimed_at)s,
        heartbeat_at = %(claimed_at)s,
        lease_until = %(claimed_at)s + make_interval(
            secs => coalesce((%(leases)s::jsonb ->> kind)::float, %(lease)s)
        ),
        deadline_at = coalesce(%(claimed_at)s + make_interval(secs => seconds_left), deadline_at),
        rev = greatest(rev + 1, %(rev)s)
    WHERE id IN (SELECT id FROM picked)
    RETURNING *
), noted AS (
    INSERT INTO jobs_jobevent (job_id, at, from_state, to_state, attempt, cause, worker)
    SELECT id, %(claimed_at)s, %(queued)s, %(running)s, attempt, %(cause)s, worker FROM taken
)
SELECT taken.*, EXISTS (
    SELECT FROM jobs_job AS other
    WHERE other.batch_key = taken.batch_key AND other.batch_key <> '' AND other.id <> taken.id
        AND other.state = %(queued)s AND NOT other.is_held_back
) AS has_company
FROM taken ORDER BY turn, queued_at, id
"""


class Claimant(TypedDict, total=False):
    """Who claims.

    Attributes:
        queue: whose rows.
        worker: the name that goes on the row.
        device: "cpu" (as without it) or "cuda"; it goes on the row.
        device_bytes: that device's memory: jobs that need more are left to a larger one; by default none.
        threads: how many the work may use, by default one; a resumable job keeps the number it began with.
        machine: which claims nothing while it is being drained.
        now: rows that may start by then are eligible; by default this moment.
    """

    queue: Required[str]
    worker: Required[str]
    device: str
    device_bytes: int
    threads: int
    machine: uuid.UUID
    now: datetime | None


def claim_job(**by: Unpack[Claimant]) -> Job | None:
    """Take the fairest eligible row of a queue, or return None when there is none.

    Effect: QUEUED -> RUNNING with the next attempt number and a lease, and the event that says so, in one
    statement. Rows that other workers are taking at this moment are passed over (`SKIP LOCKED`), so claims
    never wait for each other. Kinds that this worker does not know are left to a newer one. Where the owner's
    plan limits the time of one go, its end is the job's deadline.
    """
    job: Job | None = _claim_fairest(by)
    return job


def _claim_fairest(by: Claimant) -> Any:
    """The row that `claim_job` takes; besides its fields it tells `has_company`."""
    return next(iter(Job.objects.raw(_THE_FAIREST + _TAKE, _values(by) | {"cause": "claimed"})), None)


def claim_batch(**by: Unpack[Claimant]) -> list[Job]:
    """Take the fairest eligible row and those that can be done together with it; none when none waits.

    Effect: as `claim_job` for each of them. Only the first is chosen; the others ride along because they have
    its `batch_key`, in the order of their turns, until the batch holds its kind's `batch_size` units (a row
    counts its `total`). Only rows that wait already are taken, and none is waited for.

    Nobody is overtaken by more than that: whoever is fairest next waits for one batch, which is no longer
    than one job of `batch_size` units. A rider takes the first one's turn: its own, which may lie far ahead,
    would be taken for the queue's "now", behind which newcomers line up (`jobs.fairness`).
    """
    first = _claim_fairest(by)
    if first is None:
        return []
    room = registry.get(first.kind).batch_size - max(first.total, 1)
    # Most jobs wait alone, and whoever clicked is spared the second statement.
    if not first.has_company or first.failures or room < 1:
        return [first]
    riders = _values(by) | {
        "kinds": [first.kind],
        "batch_key": first.batch_key,
        "room": room,
        "turn": first.turn,
        "threads": first.threads,
        "cause": f"claimed with {first.pk}",
    }
    return [first, *Job.objects.raw(_RIDERS + _TAKE, riders)]


def _values(by: Claimant) -> dict[str, Any]:
    """Return the parameters of a claim."""
    claimed_at = timezone.now()
    kinds = [registry.get(name) for name in registry.names(by["queue"])]
    return {
        "queued": State.QUEUED.value,
        "running": State.RUNNING.value,
        "kinds": [kind.name for kind in kinds],
        "resumable": [kind.name for kind in kinds if kind.resumable],
        "leases": json.dumps({kind.name: kind.lease_seconds for kind in kinds if kind.lease_seconds}),
        "lease": conf.seconds("JOBS_LEASE_SECONDS"),
        "claimed_at": claimed_at,
        "rev": new_revision(),
        "turn": _LARGEST,
        "device": "cpu",
        "device_bytes": _LARGEST,
        "threads": 1,
        "machine": None,
        **by,
        "now": by.get("now") or claimed_at,
    }
