"""The light job that makes the film of a training."""

import subprocess
import sys
from datetime import timedelta

import pytest
from django.core.files.storage import default_storage

from catalog.signing import known_keys
from engines.film_provenance import read_film_record
from engines.progress import Control
from engines.signing import Verdict, judge_content
from jobs.files import list_keys
from jobs.models import State
from jobs.sweeps import sweep_files
from jobs.testing import run_pending
from training import film_jobs, services
from training.models import Film, Snapshot


@pytest.fixture
def film(trained) -> Film:
    """The film of a training of two snapshots, asked for and not made yet."""
    run_pending("light")  # the e-mail about its end
    return services.make_film(experiment=trained)


def test_the_film_is_stored_and_shown(film):
    (job,) = run_pending("light")
    film.refresh_from_db()
    assert job.state == State.SUCCEEDED
    assert film.last_step == 8
    with default_storage.open(film.file) as stored:
        assert stored.read(12)[4:8] == b"ftyp"
        told = read_film_record(stored)
    assert judge_content(told.record, told.content_sha256, known_keys()) is Verdict.UNCHANGED
    assert told.record.model == film.experiment.name


def test_a_newer_film_replaces_the_old_one_and_its_file(film, django_capture_on_commit_callbacks):
    run_pending("light")
    film.refresh_from_db()
    first = film.file
    Snapshot.objects.create(
        experiment=film.experiment,
        step=9,
        attempt=1,
        images_seen=9,
        grid=film.experiment.snapshots.last().grid,
    )
    services.make_film(experiment=film.experiment)
    film.refresh_from_db()
    assert film.file == first, "the old one is shown until the new one is there"
    with django_capture_on_commit_callbacks(execute=True):
        run_pending("light")
    film.refresh_from_db()
    assert (film.last_step, film.file != first) == (9, True)
    assert default_storage.exists(film.file)
    assert not default_storage.exists(first)


def test_a_film_nobody_wants_any_more_leaves_nothing(film, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        services.delete_experiment(training=film.experiment)
    run_pending("light")
    assert not Film.objects.exists()
    assert not list_keys(f"jobs/{film.job_id}")


def test_it_stops_when_asked(film, monkeypatch):
    monkeypatch.setattr(film_jobs.JobContext, "report", lambda self, **_progress: Control.STOP)
    (job,) = run_pending("light")
    film.refresh_from_db()
    assert job.state == State.STOPPED
    assert film.file == ""


def test_grids_that_are_gone_are_explained(film):
    default_storage.delete(film.experiment.snapshots.first().grid)
    (job,) = run_pending("light")
    assert job.state == State.FAILED
    assert "Make it again" in job.error


def test_the_sweep_knows_films(film):
    run_pending("light")
    film.refresh_from_db()
    sweep_files(older_than=timedelta(0))
    assert default_storage.exists(film.file)


def test_light_workers_make_films_without_torch():
    code = (
        "import django, sys; django.setup(); import training.film_jobs; "
        "sys.exit('torch' in sys.modules and 1 or 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
