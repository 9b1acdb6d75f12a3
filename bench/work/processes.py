"""Starting the studio's processes for a benchmark, and timing what they do."""

import contextlib
import os
import socket
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence

from django.conf import settings
from django.db import connection

from jobs.models import Job

_PATIENCE_SECONDS = 60.0


@contextlib.contextmanager
def running(*arguments: str, environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of the studio's processes and yield it. It is asked to leave at the end."""
    with (settings.DATA_DIR / f"{uuid.uuid4()}.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, *arguments], env=os.environ | (environment or {}), stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def wait_until(condition: Callable[[], bool]) -> None:
    """Look every 2 ms until the condition holds. Raises TimeoutError after a minute."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"See the logs in {settings.DATA_DIR}")
        time.sleep(0.002)


def wait_for_end(job: Job) -> None:
    """Wait until a job has succeeded, asking in the cheapest way."""
    with connection.cursor() as cursor:

        def has_succeeded() -> bool:
            cursor.execute("SELECT state = 'succeeded' FROM jobs_job WHERE id = %s", [job.pk])
            return bool(cursor.fetchone()[0])

        wait_until(has_succeeded)


def seconds(action: Callable[[], None]) -> float:
    """Return how long an action takes."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def interleave(sides: Mapping[str, Callable[[], None]], *, rounds: int, title: str) -> dict[str, list[float]]:
    """Time every side once a round, in ms, after some to warm up; print a table and return the times."""
    for side in sides.values():
        for _warm_up in range(5):
            side()
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _round in range(rounds):
        for name, side in sides.items():
            times[name].append(seconds(side) * 1000)
    show_times(times, title=title)
    return times


def show_times(times: Mapping[str, Sequence[float]], *, title: str) -> None:
    """Print a table of times in ms."""
    print(f"\n{title}, {min(map(len, times.values()))} times each, in ms")
    for name, values in times.items():
        p95 = statistics.quantiles(values, n=20)[-1]
        print(f"  {name:14} p50 {statistics.median(values):7.2f}   p95 {p95:7.2f}   worst {max(values):7.2f}")


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
