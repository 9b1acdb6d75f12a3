"""Starting the studio's processes for a benchmark, and timing what they do."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator

from django.conf import settings
from django.db import connection

from jobs.models import Job

_PATIENCE_SECONDS = 60.0


@contextlib.contextmanager
def running(
    *arguments: str, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
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


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ratio(name: str, ours: float, baseline: float, unit: str) -> str:
    """Return a figure's last line."""
    return f"{name} ratio={ours / baseline:.3f} (ours={ours:.1f}, baseline={baseline:.1f}, {unit})"
