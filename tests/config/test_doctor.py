"""The doctor finds what is wrong and says how to mend it."""

import socket
import uuid

import pytest
from django.core.management import call_command

from config import doctor
from config.doctor import Level
from jobs import machines


def look(function, *arguments):
    return doctor._look("thing", lambda: function(*arguments))


@pytest.fixture
def _shared_servers(monkeypatch, settings):
    monkeypatch.setenv("DATABASE_URL", "postgresql:///given")
    monkeypatch.setenv("REDIS_URL", settings.REDIS_URL)


@pytest.mark.django_db
def test_every_finding_that_is_not_good_says_what_to_do(settings):
    findings = list(doctor.examine(port=0))
    assert {"Python", "Disk", "Database", "Migrations", "Redis", "Storage", "PyTorch"} <= {
        finding.title for finding in findings
    }
    for finding in findings:
        assert finding.found
        assert bool(finding.mend) == (finding.level is not Level.GOOD), finding
    working = {finding.title for finding in findings if finding.level is not Level.BAD}
    assert {"Python", "Database", "Migrations", "Redis", "Storage", "PyTorch"} <= working


def test_a_taken_port_is_found():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        finding = look(doctor._port, "127.0.0.1", taken.getsockname()[1])
    assert finding.level is Level.FAIR
    assert "PORT=" in finding.mend


def test_a_missing_redis_is_found(settings):
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    finding = look(doctor._redis)
    assert finding.level is Level.BAD
    assert "nowhere" in finding.found


@pytest.mark.django_db
def test_several_machines_need_a_bucket(settings):
    assert "start workers" in look(doctor._machines).mend

    machine = machines.register()
    assert look(doctor._machines).found == machine.name

    machine.pk, machine.is_draining = uuid.uuid4(), True
    machine.save(force_insert=True)
    finding = look(doctor._machines)
    assert finding.level is Level.BAD
    assert "(draining)" in finding.found
    assert "FILES_BUCKET" in finding.mend
    settings.FILES_BUCKET = "shells"
    assert look(doctor._machines).level is Level.GOOD


def test_more_models_on_disk_than_may_be_are_found(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    weights = tmp_path / "cache" / "models" / "faces" / "weights"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(bytes(2 << 20))
    settings.MODELS_BYTES = 1 << 30
    assert look(doctor._models_on_disk).found == "1 laid out for workers here, 0.0 of 1.0 GiB"
    settings.MODELS_BYTES = 1 << 20
    finding = look(doctor._models_on_disk)
    assert finding.level is Level.FAIR
    assert "MODELS_BYTES" in finding.mend


def test_damaged_weights_are_found(monkeypatch, tmp_path):
    from tests.catalog.folders import make_folder

    monkeypatch.setattr(doctor, "STARTERS_DIR", tmp_path)
    assert look(doctor._starters).level is Level.BAD
    folder = make_folder(tmp_path / "faces")
    assert look(doctor._starters).found == "faces: hashes agree"
    (folder / "g_ema.safetensors").write_bytes(b"\0" * 100)
    finding = look(doctor._starters)
    assert finding.level is Level.BAD
    assert "damaged" in finding.found


def test_production_without_a_mail_server_is_found(settings, monkeypatch):
    monkeypatch.delenv("EMAIL_HOST", raising=False)
    settings.IN_PRODUCTION = True
    assert "EMAIL_HOST" in look(doctor._mail).mend


@pytest.mark.django_db
@pytest.mark.usefixtures("_shared_servers")
def test_the_command_ends_with_code_one_when_something_fails(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "_torch", lambda: doctor._python.nothing)
    with pytest.raises(SystemExit) as exit_:
        call_command("doctor", "--port", "0")
    assert exit_.value.code == 1
    assert "fail PyTorch" in capsys.readouterr().out
