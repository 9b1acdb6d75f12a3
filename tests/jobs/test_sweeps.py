"""Stored files that no row points to."""

from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.utils import timezone

from catalog.files import weight_key
from catalog.models import ModelFile
from jobs import sweeps
from jobs.files import list_keys
from jobs.sweeps import sweep_files
from tests.world import build_world

pytestmark = pytest.mark.django_db

TOMORROW = timezone.now() + timedelta(days=2)


def store(key: str) -> str:
    return default_storage.save(key, ContentFile(b"left behind"))


@pytest.fixture
def world(owner, tmp_path):
    return build_world(owner, tmp_path)


def test_what_a_row_points_to_stays(world):
    keys = [key for prefix in ("jobs", "datasets", "weights") for key in list_keys(prefix)]

    assert sweep_files(now=TOMORROW) == []

    assert [key for prefix in ("jobs", "datasets", "weights") for key in list_keys(prefix)] == keys
    assert ModelFile.objects.exists()


def test_what_a_killed_process_left_goes(world):
    job = world.generation.job
    left = [
        store(f"jobs/{job.pk}/7/000.png"),
        store(f"jobs/{job.pk}/snapshots/odd.bin"),
        store("jobs/not-a-job/1/000.png"),
        store(f"datasets/{world.dataset.pk}/incoming/half"),
        store(f"datasets/{world.dataset.pk}/pictures/ab/abcd.png"),
        store(weight_key("ab" * 32)),
        store("weights/ab/.half.part"),
    ]

    assert sorted(sweep_files(now=TOMORROW)) == sorted(left)

    assert not any(default_storage.exists(key) for key in left)


def test_what_may_still_get_its_row_stays(world):
    key = store(f"jobs/{world.generation.job.pk}/7/000.png")

    assert sweep_files() == []
    assert default_storage.exists(key)


def test_the_command_says_what_went(world, capsys):
    key = store(f"jobs/{world.generation.job.pk}/7/000.png")

    call_command("sweep_files", "--hours", "0")

    assert capsys.readouterr().out.splitlines() == [key, "1 files removed."]


def test_a_chore_that_fails_does_not_keep_others_from_being_done(monkeypatch, caplog):
    done = []
    monkeypatch.setattr(sweeps, "_chores", {})
    sweeps.register_chore("broken", lambda: 1 / 0)
    sweeps.register_chore("counting", lambda: done.append(1))
    sweeps.do_chores()
    assert done == [1]
    assert "broken could not be done" in caplog.text
