"""Two machines, each with its own data directory, that share one database, one Redis and one bucket."""

import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.urls import reverse

from accounts.models import User
from catalog.models import Licence, ModelVersion
from catalog.services.seed import seed_licences
from generation.models import Generation
from generation.services import start_generation
from jobs import machines
from jobs.files import list_keys
from jobs.models import Job, Machine, State
from jobs.services import submit_job
from tests.jobs import kinds
from tests.training.conftest import TINY, fill, publish_tiny, state_rights
from training.services import create_dataset, start_experiment

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 120.0


class Host:
    """A machine: a data directory of its own, and the worker processes started in it."""

    def __init__(self, folder: Path, environment: dict[str, str], **variables: str) -> None:
        folder.mkdir()
        self._folder = folder
        self._log = folder / "processes.log"
        self._log.touch()
        self._processes: list[subprocess.Popen] = []
        self._environment = {
            **environment,
            **variables,
            "ATELIER_TEST_DATA": str(folder),
            "DJANGO_SETTINGS_MODULE": "tests.jobs.settings",
        }

    def start(self, *arguments: str) -> subprocess.Popen:
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "manage.py", *arguments], env=self._environment, stdout=log, stderr=log
            )
        self._processes.append(process)
        return process

    @property
    def row(self) -> Machine:
        identity = self._folder / "machine-id"
        wait_until(identity.exists)
        wait_until(lambda: Machine.objects.filter(pk=identity.read_text()).exists())
        return Machine.objects.get(pk=identity.read_text())

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        print(f"--- {self._folder.name}\n{self._log.read_text()}")


@pytest.fixture
def hosts(
    process_environment: dict[str, str], bucket: dict[str, str], tmp_path: Path
) -> Iterator[tuple[Host, Host]]:
    """Two machines without workers yet; the second has the larger device. A dispatcher runs on the first."""
    kinds.register_all()
    environment = {**process_environment, **bucket, "OMP_NUM_THREADS": "1", "TEST_LEASE_SECONDS": "6"}
    both = (
        Host(tmp_path / "first", environment, JOBS_DEVICE_BYTES=str(1 << 30)),
        Host(tmp_path / "second", environment, JOBS_DEVICE_BYTES=str(2 << 30)),
    )
    both[0].start("dispatch")
    yield both
    for host in both:
        host.end()


@pytest.fixture
def model(owner: User, tmp_path: Path) -> ModelVersion:
    """A model of the owner's with tiny random networks, in the bucket."""
    seed_licences()
    return publish_tiny(owner, Licence.objects.get(slug="cc0-1.0"), tmp_path / "tiny", TINY)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, list(Job.objects.values("kind", "state", "step", "worker", "error"))
        time.sleep(0.05)


def has_ended(job: Job) -> bool:
    job.refresh_from_db()
    return not job.is_active


def test_a_training_goes_on_on_the_other_machine(hosts, owner, model, tmp_path):
    first, second = hosts
    dataset = create_dataset(owner=owner, name="Shells", licence=Licence.objects.get(slug="own-work"))
    state_rights(dataset)
    fill(dataset, 50)
    experiment = start_experiment(
        owner=owner,
        dataset=dataset,
        starting_point=model,
        steps=30,
        settings={"batch": 4, "snapshot_every": 10, "checkpoint_seconds": 0.0},
    )
    job = experiment.job
    worker = first.start("worker", "train")
    wait_until(experiment.snapshots.exists)

    worker.send_signal(signal.SIGKILL)
    worker.wait()
    first_attempt = experiment.snapshots.get(step=10).attempt
    shared = list_keys(f"jobs/{job.pk}/{first_attempt}/checkpoints")
    second.start("worker", "train")
    wait_until(lambda: has_ended(job))

    assert job.state == State.SUCCEEDED
    assert job.worker.startswith(f"{second.row.name}:")
    assert shared
    # Had it begun anew, the first snapshot would be the later attempt's.
    made_by = dict(experiment.snapshots.order_by("step").values_list("step", "attempt"))
    assert list(made_by) == [10, 20, 30]
    assert made_by[10] == first_attempt < made_by[30] == job.attempt
    wait_until(lambda: not (tmp_path / "second" / "runs" / str(experiment.pk)).exists())


def test_pictures_are_made_where_no_machine_is_drained_and_served_from_the_bucket(
    hosts, owner, owner_client, model
):
    for host in hosts:
        host.start("worker", "generate")
    rows = [host.row for host in hosts]

    for draining, open_ in (rows, rows[::-1]):
        machines.drain_machine(machine=draining)
        order = start_generation(owner=owner, version=model, seeds=[1, 2], truncation_psi=0.7)
        wait_until(lambda order=order: has_ended(order.job))
        assert order.job.state == State.SUCCEEDED
        assert order.job.worker.startswith(f"{open_.name}:")
        assert not machines.jobs_of(draining).exists()
        machines.take_back_machine(machine=draining)
        assert fetch_picture(owner_client, order).startswith(b"\x89PNG")


def fetch_picture(client, order: Generation) -> bytes:
    """Return what a browser gets that follows the picture's address."""
    picture = order.pictures.first()
    answer = client.get(reverse("generation:picture_image", args=[picture.pk, "png"]))
    assert answer.status_code == 302, answer
    with urllib.request.urlopen(answer.url) as served:
        assert served.headers["Content-Type"] == "image/png"
        return served.read()


def test_a_job_goes_only_where_it_fits(hosts, owner):
    for host in hosts:
        host.start("worker", "train")
    rows = [host.row for host in hosts]
    assert [row.device_bytes for row in rows] == [1 << 30, 2 << 30]

    jobs = [
        submit_job(owner=owner, kind="test.count", label="large", total=2, needs_bytes=3 << 29)
        for _index in range(4)
    ]
    nowhere = submit_job(owner=owner, kind="test.count", label="huge", total=2, needs_bytes=4 << 30)
    for job in jobs:
        wait_until(lambda job=job: has_ended(job))

    assert all(job.worker.startswith(f"{rows[1].name}:") for job in jobs)
    nowhere.refresh_from_db()
    assert nowhere.state == State.QUEUED
    assert "the largest machine has 2.0 GiB" in machines.explain_waiting(nowhere)
