"""What a claim costs when few rows wait, and when very many do."""

import statistics
import time

from django.db import connection

from accounts.models import User
from bench.work.figures import ratio
from bench.work.processes import show_times
from jobs.claims import claim_job
from jobs.fairness import STRIDE
from jobs.models import Job, Queue, State

# Rows that wait, by the queue in which they do, and the kind they are of.
_SIZES = {
    10: (Queue.LIGHT, "bench.light"),
    1_000: (Queue.TRAIN, "bench.train"),
    100_000: (Queue.GENERATE, "bench.noop"),
}
_USERS = 100
# Who claims; also the label of the rows.
_WORKER = "bench.claims"

# Every so many users have the same turn, as after the same number of jobs each.
_FILL = """
INSERT INTO jobs_job (
    id, owner_id, kind, queue, label, state, attempt, failures, max_failures, is_held_back, is_relaxed,
    batch_key, needs_bytes, turn, rev, price_held, price_charged, delivered, step, total, claimed_step,
    progress, worker, device, threads, error, error_reference, created_at, queued_at
)
SELECT gen_random_uuid(), (%(owners)s::uuid[])[1 + n %% %(users)s], %(kind)s, %(queue)s, %(label)s, 'queued',
    0, 0, 3, %(held_back)s AND n %% 2 = 0, false, '', 0, n / %(users)s * %(stride)s::bigint, n,
    0, 0, 0, 0, 0, 0, '{}', '', '', 0, '', '', now(), now()
FROM generate_series(0, %(count)s - 1) AS n
"""


def measure(owner: User, *, is_quick: bool) -> list[str]:
    """Return the last lines of this section."""
    others = [User(email=f"bench{number}@example.org") for number in range(_USERS - 1)]
    users = [owner, *User.objects.bulk_create(others)]
    figures = [claim_cost("claim_cost", users, is_quick=is_quick)]
    if not is_quick:
        figures.append(claim_cost("claim_cost_one_user", [owner], is_quick=is_quick))
        figures.append(claim_cost("claim_cost_held_back", users, is_held_back=True, is_quick=is_quick))
    return figures


def claim_cost(name: str, users: list[User], *, is_held_back: bool = False, is_quick: bool) -> str:
    """Time a claim with 10, 1,000 and 100,000 rows that may start, and perhaps as many that are held back.

    What was claimed joins again at the end, so that the number of waiting rows stays what it is.
    """
    for size, (queue, kind) in _SIZES.items():
        count = 2 * size if is_held_back else size
        _fill(users, queue=queue, kind=kind, count=count, is_held_back=is_held_back)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE jobs_job")
    times: dict[str, list[float]] = {f"{size:,}": [] for size in _SIZES}
    rounds = 100 if is_quick else 400
    for _round in range(rounds):
        for size, (queue, _kind) in _SIZES.items():
            begin = time.perf_counter()
            job = claim_job(queue=queue, worker=_WORKER)
            times[f"{size:,}"].append((time.perf_counter() - begin) * 1000)
            assert job is not None
            last = job.turn + max(size // len(users), 1) * STRIDE
            Job.objects.filter(pk=job.pk).update(state=State.QUEUED, lease_until=None, turn=last)
    show_times(times, title=f"A claim, by the number of rows that wait ({name})")
    _clear()
    return ratio(name, statistics.median(times["100,000"]), statistics.median(times["10"]), "ms")


def _fill(users: list[User], *, queue: str, kind: str, count: int, is_held_back: bool) -> None:
    """Insert waiting rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            _FILL,
            {
                "owners": [user.pk for user in users],
                "users": len(users),
                "queue": queue,
                "kind": kind,
                "label": _WORKER,
                "count": count,
                "held_back": is_held_back,
                "stride": STRIDE,
            },
        )


def _clear() -> None:
    """Delete the rows again, without asking every other table whether one of its rows points at them."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("DELETE FROM jobs_jobevent WHERE worker = %s", [_WORKER])
        cursor.execute("DELETE FROM jobs_job WHERE label = %s", [_WORKER])
        cursor.execute("SET session_replication_role = DEFAULT")
