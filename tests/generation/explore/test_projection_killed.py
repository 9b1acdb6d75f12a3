"""A projection whose worker takes SIGKILL in the middle: real processes, real files."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from catalog.generators import network_of
from engines.stylegan.points import parse_point
from engines.stylegan.projecting import ProjectConfig
from generation.explore.projections import start_projection
from generation.models import Projection, SavedPoint
from jobs.models import Job, State
from tests.generation.explore.test_projections import photograph
from tests.wallets import give_credits

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 600.0
STEPS, LEG = 300, 25


@pytest.fixture
def start(
    process_environment: dict[str, str], bucket: dict[str, str], tmp_path: Path
) -> Iterator[Callable[..., subprocess.Popen]]:
    """Return a function that starts `manage.py ...`; what it started is gone after the test."""
    environment = {
        **process_environment,
        **bucket,
        "DJANGO_SETTINGS_MODULE": "tests.jobs.settings",
        "OMP_NUM_THREADS": "1",
        "TEST_LEASE_SECONDS": "6",
    }
    started: list[subprocess.Popen] = []
    log = tmp_path / "processes.log"

    def begin(*arguments: str) -> subprocess.Popen:
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "manage.py", *arguments], env=environment, stdout=output, stderr=output
            )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
    print(log.read_text())


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, list(Job.objects.values("kind", "state", "step", "error"))
        time.sleep(0.02)


def order(owner, version) -> Projection:
    return start_projection(
        owner=owner,
        network=network_of(version),
        target=photograph((16, 16)),
        title="Cat",
        config=ProjectConfig(steps=STEPS),
    )


def has_succeeded(projection: Projection) -> bool:
    job = Job.objects.get(pk=projection.job_id)
    projection.refresh_from_db()  # after its job, with which it is written
    assert job.state not in {State.FAILED, State.STOPPED}, job.error
    return job.state == State.SUCCEEDED


def test_nothing_is_lost_when_its_worker_is_killed(start, owner, version):
    give_credits(owner, 100)
    straight = order(owner, version)
    worker = start("worker", "generate")
    start("dispatch")
    wait_until(lambda: has_succeeded(straight))

    killed = order(owner, version)
    wait_until(lambda: bool(Projection.objects.get(pk=killed.pk).steps))
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    done = [step["step"] for step in Projection.objects.get(pk=killed.pk).steps]
    assert len(done) < STEPS // LEG  # it was in the middle
    start("worker", "generate")
    wait_until(lambda: has_succeeded(killed))

    assert killed.job.attempt == 2
    assert [step["step"] for step in killed.steps] == list(range(LEG, STEPS + 1, LEG))
    attempts = [step["file"].split("/")[2] for step in killed.steps]
    assert attempts == ["1"] * len(done) + ["2"] * (STEPS // LEG - len(done))
    # To the same bits as the search that nobody killed; paid once, pinned once.
    assert parse_point(killed.found.point) == parse_point(straight.found.point)
    assert killed.figures == straight.figures
    assert (killed.job.delivered, killed.job.price_charged) == (STEPS, straight.job.price_charged)
    assert SavedPoint.objects.filter(owner=owner).count() == 2
