"""What a job costs beside what it does."""

import statistics

import redis
from django.conf import settings
from rq import Queue as PlainQueue

from accounts.models import User
from bench.work.plain import nothing
from bench.work.processes import ratio, running, seconds, wait_until
from jobs.models import Job, State
from jobs.services import submit_job


def measure(owner: User, *, is_quick: bool) -> list[str]:
    """Return the last lines of this section."""
    return [noop_overhead(owner, count=40 if is_quick else 300)]


def noop_overhead(owner: User, *, count: int) -> str:
    """Time a job that does nothing, from its submission until its end can be read, on the resident worker.

    The baseline is the same function on RQ's SimpleWorker, which has no row, cancel, timeout or isolation.
    """
    plain = PlainQueue("plain", connection=redis.Redis.from_url(settings.REDIS_URL))
    plain_worker = ("-c", "from rq.cli import main; main()", "worker", "-q", "-w", "rq.SimpleWorker", "plain")
    address = {"RQ_REDIS_URL": settings.REDIS_URL}

    def ours() -> None:
        job = submit_job(owner=owner, kind="bench.noop", label="")
        wait_for_end(job)

    def baseline() -> None:
        job = plain.enqueue(nothing)
        wait_until(lambda: job.get_status() == "finished")

    with running("manage.py", "worker", "generate"), running(*plain_worker, environment=address):
        sides = {"ours": ours, "baseline": baseline}
        for side in sides.values():
            for _warm_up in range(5):
                side()
        times = {name: [] for name in sides}  # type: dict[str, list[float]]
        for _round in range(count):
            for name, side in sides.items():
                times[name].append(seconds(side) * 1000)
    print(f"\nA job that does nothing, {count} times each, in ms")
    for name, values in times.items():
        p95 = statistics.quantiles(values, n=20)[-1]
        print(f"  {name:10} p50 {statistics.median(values):7.1f}   p95 {p95:7.1f}   worst {max(values):7.1f}")
    return ratio(
        "noop_overhead", statistics.median(times["ours"]), statistics.median(times["baseline"]), "ms"
    )
