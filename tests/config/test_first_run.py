"""The main job of a first start, with real workers' code, a tiny starting point and few steps."""

import io
from types import SimpleNamespace

import pytest

from catalog.models import Licence, Visibility
from catalog.services.seed import seed_licences
from config import first_run
from config.first_run import FirstRun, FirstRunEnded, run_once
from engines.stylegan.config import Architecture
from generation.models import Generation, Picture
from jobs.services import stop_job
from jobs.testing import run_pending
from tests.training.conftest import publish_tiny
from tests.wallets import set_credits
from training.models import Dataset, Experiment
from training.services import create_sample_dataset

SITE = "http://127.0.0.1:8000/"
TINY = Architecture(resolution=64, z_dim=8, w_dim=8, mapping_layers=1, channel_base=64, channel_max=2)


@pytest.fixture
def person(owner, make_user, settings, tmp_path, monkeypatch):
    """Somebody in a studio that has a tiny starting point; while the main job waits, workers work."""
    settings.DATA_DIR = tmp_path / "data"
    seed_licences()
    publisher = make_user("atelier@example.org")
    model = publish_tiny(publisher, Licence.objects.get(slug="cc0-1.0"), tmp_path / "tiny", TINY).model
    model.is_starter, model.visibility, model.name = True, Visibility.PUBLIC, first_run.STARTER
    model.save()
    create_sample_dataset(owner=owner, family=first_run.SAMPLE_FAMILY, count=50)
    monkeypatch.setattr(first_run, "STEPS", 2)
    monkeypatch.setattr(
        first_run, "time", SimpleNamespace(sleep=lambda _s: run_pending(), monotonic=lambda: 0.0)
    )
    return owner


def test_it_goes_on_where_it_was_killed_and_ends_with_sixteen_images(person, monkeypatch):
    class Killed(BaseException):
        pass

    def kill(*_arguments, **_values):
        raise Killed

    with monkeypatch.context() as killed:
        killed.setattr(first_run, "start_generation", kill)
        with pytest.raises(Killed):
            FirstRun(person, site=SITE, stream=io.StringIO()).run()
    experiment = Experiment.objects.get(owner=person)

    said = io.StringIO()
    FirstRun(person, site=SITE, stream=said).run()
    generation = Generation.objects.get(owner=person)
    assert Picture.objects.filter(generation=generation).count() == 16
    assert f"{SITE}generate/{generation.pk}/" in said.getvalue()
    assert f"{SITE}experiments/{experiment.pk}/" in said.getvalue()
    experiment.refresh_from_db()
    assert experiment.saved_model == generation.model_version.model

    FirstRun(person, site=SITE, stream=io.StringIO()).run()
    assert [model.objects.count() for model in (Dataset, Experiment, Generation)] == [1, 1, 1]


def test_it_does_not_insist_when_its_owner_stops_it(person, monkeypatch, tmp_path):
    def stop(_seconds: float) -> None:
        for experiment in Experiment.objects.all():
            stop_job(job=experiment.job)
        run_pending()

    monkeypatch.setattr(first_run.time, "sleep", stop)
    said, marker = [], tmp_path / "done"
    run_once(person, site=SITE, marker=marker, say=said.append)
    assert "canceled" in said[0]
    assert "You can go on in the studio" in said[0]
    run_once(person, site=SITE, marker=marker, say=said.append)
    assert len(said) == 1


def test_without_a_starting_point_it_says_so(owner, monkeypatch):
    seed_licences()
    create_sample_dataset(owner=owner, family=first_run.SAMPLE_FAMILY, count=1)
    monkeypatch.setattr(first_run.time, "sleep", lambda _s: run_pending())
    with pytest.raises(FirstRunEnded, match="No starting point"):
        FirstRun(owner, site=SITE, stream=io.StringIO()).run()


def test_without_credits_it_says_what_is_missing(person):
    set_credits(person, 0)
    with pytest.raises(FirstRunEnded, match="Add 1, then try again"):
        FirstRun(person, site=SITE, stream=io.StringIO()).run()
