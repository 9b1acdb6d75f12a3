"""Real workers, killed and asked to leave while they work."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobs.models import Job, State
from jobs.services import stop_job

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 20.0


@pytest.fixture
def start(process_environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    """Return a function that starts `manage.py ...`; what it started is gone after the test."""
    started: list[subprocess.Popen] = []
    environment = {**process_environment, "DJANGO_SETTINGS_MODULE": "tests.jobs.settings"}

    def start(*arguments: str) -> subprocess.Popen:
        log = (tmp_path / f"{arguments[-1]}.log").open("ab")
        process = subprocess.Popen(
            [sys.executable, "manage.py", *arguments], env=environment, stdout=log, stderr=log
        )
        log.close()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
    for log in tmp_path.glob("*.log"):
        print(f"--- {log.name}\n{log.read_text()}")


def wait_for(job: Job, condition: Callable[[Job], bool]) -> Job:
    """Wait until the row fulfils the condition."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        job.refresh_from_db()
        if condition(job):
            return job
        time.sleep(0.02)
    pytest.fail(
        f"{job} is {job.state} at step {job.step}: {list(job.events.values_list('cause', flat=True))}"
    )


def test_a_job_whose_worker_takes_sigkill_finishes_by_itself(start, submit):
    worker = start("worker", "train")
    start("dispatch")
    job = submit("count", total=40)
    wait_for(job, lambda row: row.step >= 5)

    worker.send_signal(signal.SIGKILL)
    worker.wait()
    start("worker", "train")

    wait_for(job, lambda row: row.state == State.SUCCEEDED)
    assert (job.attempt, job.failures, job.step) == (2, 0, 40)


def test_a_worker_that_has_to_leave_gives_its_job_back(start, submit):
    worker = start("worker", "train")
    job = submit("count", total=60)
    wait_for(job, lambda row: row.step >= 5)

    worker.send_signal(signal.SIGTERM)
    time.sleep(0.02)
    worker.send_signal(signal.SIGTERM)

    assert worker.wait(timeout=PATIENCE) == 0
    job.refresh_from_db()
    assert (job.state, job.failures) == (State.QUEUED, 0)
    assert 5 <= job.step < 60


def test_the_resident_worker_survives_its_child(start, submit):
    worker = start("worker", "generate")
    die, noop = submit("die"), submit("noop")

    wait_for(die, lambda row: row.state == State.SUCCEEDED)
    wait_for(noop, lambda row: row.state == State.SUCCEEDED)

    assert (die.attempt, die.failures) == (2, 1)
    assert noop.worker == die.worker
    assert worker.poll() is None
    assert "libtorch" not in Path(f"/proc/{worker.pid}/maps").read_text()


def test_a_job_that_does_not_stop_is_killed(start, submit):
    start("worker", "generate")
    job = submit("deaf")
    wait_for(job, lambda row: row.state == State.RUNNING)

    stop_job(job=job)

    wait_for(job, lambda row: row.state == State.STOPPED)


def test_a_training_stops_when_asked(start, submit):
    start("worker", "train")
    job = submit("count", total=400)
    wait_for(job, lambda row: row.step >= 1)

    stop_job(job=job)

    wait_for(job, lambda row: row.state == State.STOPPED)
    assert 1 <= job.step < 400


def test_children_die_with_their_parent(start, submit):
    worker = start("worker", "generate")
    wait_for(submit("noop"), lambda row: row.state == State.SUCCEEDED)
    (child,) = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()

    worker.send_signal(signal.SIGKILL)
    worker.wait()

    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and Path(f"/proc/{child}").exists():
        time.sleep(0.02)
    assert not Path(f"/proc/{child}").exists()
    assert os.getpid()
