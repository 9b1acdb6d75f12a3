"""Machines: who they are, what they say of themselves, and that a draining one takes nothing."""

import json
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from jobs import hardware, machines, speed
from jobs.execute import run_next
from jobs.models import Job, Machine, State

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_data_directory(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "data"


def make_machine(**fields) -> Machine:
    values = {"device": "cpu", "device_bytes": 8 << 30, "memory_bytes": 8 << 30, "cores": 2}
    values |= {"host": "other", "seen_at": timezone.now(), **fields}
    return Machine.objects.create(id=uuid.uuid4(), **values)


def test_an_identity_is_made_once_for_each_data_directory(settings, tmp_path):
    first = machines.machine_id()
    assert (tmp_path / "data" / "machine-id").read_text() == str(first)
    assert machines.machine_id() == first

    settings.DATA_DIR = tmp_path / "another"
    assert machines.machine_id() != first
    assert [path.name for path in (tmp_path / "another").iterdir()] == ["machine-id"]


def test_registering_says_what_the_machine_is():
    machine = machines.register()

    assert machine.name == machines.name() == f"{machine.host}-{machine.pk.hex[:6]}"
    assert (machine.device, machine.cores) == (hardware.device_kind(), hardware.cores())
    assert machine.device_bytes > 1 << 28
    assert {"python", "torch"} <= machine.versions.keys()
    assert machines.this_machine() == machine


def test_registering_again_keeps_what_an_admin_said_and_forgets_who_is_long_gone():
    machines.drain_machine(machine=machines.register())
    make_machine(seen_at=timezone.now() - timedelta(days=31))

    assert machines.register().is_draining
    assert Machine.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_beat_brings_back_a_row_that_was_deleted():
    presence = machines.Presence()
    presence.look()
    Machine.objects.update(seen_at=timezone.now() - timedelta(minutes=5), is_draining=True)
    presence.keep(is_idle=True)
    assert not presence.is_draining, "it was not due"

    presence.look()
    machine = machines.this_machine()
    assert presence.is_draining
    assert not machines.is_away(machine)
    Machine.objects.all().delete()
    presence.look()
    assert not presence.is_draining
    assert Machine.objects.count() == 1


def test_a_draining_machine_takes_nothing_until_it_is_taken_back(submit):
    job = submit("count", total=0)
    machine = machines.this_machine()

    assert machines.drain_machine(machine=machine)
    assert not machines.drain_machine(machine=machine)
    assert run_next(queue="train", worker="worker-1", in_background=False) == []

    assert machines.take_back_machine(machine=machine)
    assert run_next(queue="train", worker="worker-1", in_background=False) == [job]


def test_a_job_goes_only_where_it_fits(submit, settings):
    small, large = submit("count"), submit("count", needs_bytes=2 << 30)
    settings.JOBS_DEVICE_BYTES = 1 << 30

    assert run_next(queue="train", worker="worker-1", in_background=False) == [small]
    assert run_next(queue="train", worker="worker-1", in_background=False) == []

    settings.JOBS_DEVICE_BYTES = 2 << 30
    assert run_next(queue="train", worker="worker-1", in_background=False) == [large]


def test_a_job_that_fits_nowhere_says_so(submit):
    job = submit("count", needs_bytes=16 << 30)
    assert machines.explain_waiting(submit("count")) == ""
    assert "No machine is on" in machines.explain_waiting(job)

    machine = make_machine()
    assert "needs 16.0 GiB" in machines.explain_waiting(job)
    assert "has 8.0 GiB" in machines.explain_waiting(job)

    Machine.objects.update(device_bytes=24 << 30)
    assert machines.explain_waiting(job) == ""
    machines.drain_machine(machine=machine)
    assert "drained" in machines.explain_waiting(job)
    Job.objects.update(state=State.CANCELED)
    job.refresh_from_db()
    assert machines.explain_waiting(job) == ""


def test_the_jobs_of_a_machine(submit, claim):
    here = machines.this_machine()
    job = submit("count")
    assert not machines.jobs_of(here).exists()

    claim(worker=f"{here.name}:train:1:abc")

    assert list(machines.jobs_of(here)) == [job]
    assert not machines.jobs_of(make_machine()).exists()


def test_what_the_driver_answers():
    device = hardware.read_nvidia_answer("NVIDIA H100 80GB HBM3, 81559, 535.183.01\n")

    assert (device.name, device.driver) == ("NVIDIA H100 80GB HBM3", "535.183.01")
    assert device.nbytes == 81559 * 1024**2
    with pytest.raises(ValueError, match="unpack"):
        hardware.read_nvidia_answer("No devices were found\n")


def test_a_card_whose_driver_says_nothing(settings, monkeypatch, caplog):
    hardware._graphics_card.cache_clear()
    monkeypatch.setenv("PATH", "")
    settings.JOBS_DEVICE = "cuda"

    assert hardware.device_bytes() == 0
    assert "JOBS_DEVICE_BYTES" in caplog.text
    hardware._graphics_card.cache_clear()


def test_the_speed_is_measured_once_by_another_process(monkeypatch):
    speed.Measurement().go_on()
    measurement = speed.Measurement(wait_seconds=0)
    assert speed.known() is None

    measurement.go_on()
    measurement._process.wait()
    billions = speed.known()
    assert billions > 0
    measurement.go_on()

    assert measurement._process is None
    assert machines.register().speed == billions


def test_a_speed_that_was_written_badly_counts_as_not_known():
    speed._path().parent.mkdir(parents=True)
    speed._path().write_text(json.dumps({"billions": None}))

    assert speed.known() is None
