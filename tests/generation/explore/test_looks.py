"""Asking for pictures, and what a worker does with it: the real claim, the real network, real files."""

import io

import numpy as np
import pytest
from django.core.files.storage import default_storage
from PIL import Image

from catalog.generators import network_of
from engines.stylegan.generate import Generator
from engines.stylegan.latent import LatentSpace
from engines.stylegan.points import LatentMap, MapPlace, Seed, Tile
from generation.exceptions import LookRefusedError, LooksBusyError
from generation.explore import look_jobs, looks
from generation.explore.cache import storage_key
from generation.models import Look, LookPicture
from jobs.models import Job, State
from jobs.testing import run_pending

TILES = [Tile(x=x, y=y) for y in range(3) for x in range(3)]


@pytest.fixture
def network(version):
    return network_of(version)


def ask(owner, network, tiles=TILES, **more):
    sheet = looks.tiles_of(network, LatentMap(), tiles)
    return looks.ask_sheets(owner=owner, slot="map", sheets=[sheet], **more)


def pixels(network, key):
    with default_storage.open(storage_key(network.sha256, key)) as file:
        return np.asarray(Image.open(io.BytesIO(file.read())).convert("RGB"), int)


def test_tiles_are_made_and_nothing_else_stays(owner, network, model_folder):
    answer = ask(owner, network)
    assert len(set(answer.keys)) == len(TILES)
    assert not answer.made
    assert answer.waits
    run_pending()
    assert ask(owner, network).made == set(answer.keys)
    assert not Look.objects.exists()
    assert not Job.objects.exists()
    space = LatentSpace(Generator.load(model_folder, precision="auto"))
    wanted = space.images([MapPlace(map=LatentMap(), tile=TILES[0])])[0].astype(int)
    assert np.abs(pixels(network, answer.keys[0]) - wanted).mean() < 12  # WebP keeps half of the colours


def test_points_share_the_pictures_of_their_tiles(owner, network):
    ask(owner, network)
    run_pending()
    place = MapPlace(map=LatentMap(), tile=Tile(x=2, y=4, zoom=1))  # tile 1, 2 of the level above
    (key,) = looks.ask_looks(owner=owner, network=network, points=[place])
    assert LookPicture.objects.filter(pk=key).exists()
    assert not Look.objects.exists()


def test_frames_of_a_walk_come_too(owner, network):
    points = [Seed(seed=number).as_json() for number in (1, 2)]
    keys = looks.ask_walk_looks(
        owner=owner, network=network, walk={"points": points, "seconds": 1.0, "fps": 4}, frames=[0, 2, 4]
    )
    run_pending()
    assert LookPicture.objects.filter(pk__in=keys).count() == 3


def test_long_work_lets_looks_have_their_pictures_between_its_steps(owner, stranger, network, public_version):
    mine, theirs = ask(owner, network), ask(stranger, network_of(public_version), TILES[:2])
    between = look_jobs.Between()
    between.serve()
    assert LookPicture.objects.count() == look_jobs.FIRST_BATCH
    between.serve()  # in turns: the other one first
    assert set(theirs.keys) <= set(LookPicture.objects.values_list("key", flat=True))
    between.serve()
    assert set(mine.keys) <= set(LookPicture.objects.values_list("key", flat=True))
    between.serve()
    assert not run_pending()  # their jobs had nothing left to do, and are gone
    assert not Look.objects.exists()


def test_what_cannot_be_made_between_steps_is_left_to_the_looks_own_job(owner, network, monkeypatch):
    ask(owner, network)

    def fail(latent, sheet):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(look_jobs, "render", fail)
    look_jobs.Between().serve()
    assert Look.objects.get().job.state == State.QUEUED


def test_who_looks_on_replaces_what_waits(owner, network):
    ask(owner, network)
    job = Look.objects.get().job
    further = [Tile(x=100, y=0)]
    answer = ask(owner, network, further)
    assert Look.objects.get().job == job
    run_pending()
    assert set(LookPicture.objects.values_list("key", flat=True)) == set(answer.keys)


def test_a_failure_is_told_and_tried_again_when_asked(owner, network):
    bad = Tile(x=0, y=0)
    sheet = looks.tiles_of(network, LatentMap(), [bad])
    broken = sheet.part([(sheet.keys[0], [0, 0, 99])])  # no such level
    looks.ask_sheets(owner=owner, slot="map", sheets=[broken])
    run_pending()
    assert Look.objects.get().job.state == State.FAILED
    answer = ask(owner, network, [bad])
    assert "zoom" in answer.problem
    assert not answer.made
    assert not ask(owner, network, [bad], again=True).problem
    run_pending()
    assert ask(owner, network, [bad]).made
    assert not Look.objects.exists()


def test_a_model_that_is_deleted_meanwhile_ends_the_look(owner, network):
    ask(owner, network)
    network.version.model.delete()
    run_pending()
    assert not Look.objects.exists()
    assert not LookPicture.objects.exists()


def test_too_many_at_once_are_refused(owner, network):
    tiles = [Tile(x=x, y=0) for x in range(looks.MAX_WANTED + 1)]
    with pytest.raises(LookRefusedError, match="At most 256"):
        ask(owner, network, tiles)


def test_new_pictures_have_to_be_admitted_and_polling_for_them_has_not(owner, network):
    ask(owner, network, admit=lambda: True)
    ask(owner, network, admit=lambda: pytest.fail("these are waited for already"))
    with pytest.raises(LooksBusyError):
        ask(owner, network, [Tile(x=50, y=0)], admit=lambda: False)
    run_pending()
    ask(owner, network, admit=lambda: pytest.fail("these are made"))


def test_looks_take_none_of_their_owners_turns(order, owner, network):
    ask(owner, network)
    first = order(seeds=[1]).job
    look = Job.objects.get(kind=looks.JOB_KIND)
    assert first.turn == look.turn  # as if the look were not there
    second = order(seeds=[2]).job
    assert second.turn > first.turn
    late = looks.ask_looks(owner=owner, network=network, points=[Seed(seed=7)], slot="late")
    assert late
    assert Job.objects.filter(kind=looks.JOB_KIND).latest("created_at").turn == look.turn  # before the second


def test_after_a_while_others_have_their_turn_and_the_page_asks_again(owner, network, monkeypatch):
    monkeypatch.setattr(look_jobs, "MAX_SECONDS", 0.0)
    answer = ask(owner, network)
    run_pending()
    assert not LookPicture.objects.exists()
    assert not Job.objects.exists()
    monkeypatch.setattr(look_jobs, "MAX_SECONDS", 3600.0)
    assert ask(owner, network).keys == answer.keys
    run_pending()
    assert LookPicture.objects.count() == len(TILES)
