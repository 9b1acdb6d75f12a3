"""Real workers, killed and asked to leave while they work."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobs import tokens
from jobs.models import Job, State
from jobs.redis_client import hints
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


def child_of(worker: subprocess.Popen) -> int:
    """Return the process id of the worker's child."""
    (child,) = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
    return int(child)


def wait_for_end_of(pid: int) -> None:
    end = time.monotonic() + PATIENCE
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_job_whose_worker_takes_sigkill_finishes_by_itself(start, submit):
    worker = start("worker", "train")
    start("dispatch")
    job = submit("count", total=30)
    wait_for(job, lambda row: row.step >= 5)
    child = child_of(worker)

    worker.send_signal(signal.SIGKILL)
    worker.wait()
    wait_for_end_of(child)
    start("worker", "train")

    wait_for(job, lambda row: row.state == State.SUCCEEDED)
    assert (job.attempt, job.failures, job.step) == (2, 0, 30)


def test_a_worker_that_was_paused_comes_back_too_late(start, submit):
    paused = start("worker", "train")
    start("dispatch")
    job = submit("count", total=20)
    wait_for(job, lambda row: row.step >= 2)
    child = child_of(paused)

    os.kill(child, signal.SIGSTOP)
    start("worker", "train")
    wait_for(job, lambda row: row.state == State.SUCCEEDED)
    before = Job.objects.filter(pk=job.pk).values().get()
    os.kill(child, signal.SIGCONT)
    wait_for_end_of(child)

    assert job.attempt == 2
    assert Job.objects.filter(pk=job.pk).values().get() == before


def test_the_forking_worker_stops_work_and_gives_it_back(start, submit):
    hints().hset("rq:job:hostile", mapping={"data": json.dumps(["os.abort", None, [], {}])})
    hints().rpush("rq:queue:train", "hostile", "missing")
    worker = start("worker", "train")
    stopped, given_back = submit("count", total=400), submit("count", total=400)

    wait_for(stopped, lambda row: row.step >= 1)
    stop_job(job=stopped)
    wait_for(stopped, lambda row: row.state == State.STOPPED)
    wait_for(given_back, lambda row: row.step >= 1)
    worker.send_signal(signal.SIGTERM)
    time.sleep(0.02)
    worker.send_signal(signal.SIGTERM)

    assert worker.wait(timeout=PATIENCE) == 0
    given_back.refresh_from_db()
    assert (given_back.state, given_back.failures, given_back.attempt) == (State.QUEUED, 0, 1)
    assert 1 <= given_back.step < 400
    # A token waits for the job that was given back; nothing is left of those that were taken.
    assert set(hints().keys("rq:job:*")) == {
        b"rq:job:hostile",
        *(f"rq:job:{token}".encode() for token in tokens.token_queue("train").job_ids),
    }


def test_the_resident_worker_replaces_its_child(start, submit):
    worker = start("worker", "generate")
    noop = submit("noop")
    wait_for(noop, lambda row: row.state == State.SUCCEEDED)
    first_child = child_of(worker)
    die = submit("die")
    wait_for(die, lambda row: row.state == State.QUEUED and row.failures == 1)
    wait_for_end_of(first_child)

    time.sleep(0.2)  # it waits so long after a fault
    tokens.send("generate")
    wait_for(die, lambda row: row.state == State.SUCCEEDED)
    second_child = child_of(worker)
    deaf = submit("deaf")
    wait_for(deaf, lambda row: row.state == State.RUNNING)
    stop_job(job=deaf)
    wait_for(deaf, lambda row: row.state == State.STOPPED)

    wait_for_end_of(second_child)
    assert (die.attempt, die.worker) == (2, noop.worker) == (2, deaf.worker)
    assert "libtorch" not in Path(f"/proc/{worker.pid}/maps").read_text()
    worker.terminate()
    assert worker.wait(timeout=PATIENCE) == 0


def test_a_batch_whose_process_dies_is_done_job_by_job(start, submit):
    jobs = [submit("together", label=label, batch_key="same") for label in ("a", "fatal", "c")]
    start("worker", "generate")
    start("dispatch")

    for job in jobs:
        wait_for(job, lambda row: row.state == State.SUCCEEDED)
        assert (job.attempt, job.failures) == (2, 1)


def test_a_deaf_job_that_is_killed_gives_its_batch_back(start, submit):
    deaf, other = (submit("together", label=label, batch_key="same") for label in ("deaf", "other"))
    start("worker", "generate")
    wait_for(other, lambda row: row.state == State.RUNNING)

    stop_job(job=deaf)

    wait_for(deaf, lambda row: row.state == State.STOPPED)
    wait_for(other, lambda row: row.state == State.SUCCEEDED)
    assert (other.attempt, other.failures) == (2, 0)
