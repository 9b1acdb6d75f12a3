"""Snapshots as networks: who finds them, what they take, where their files come to lie."""

import json

import pytest
from django.contrib.auth.models import AnonymousUser
from django.urls import reverse

from catalog.generators import find_network, network_folder, network_of, siblings_of
from engines.manifest import read_model_info
from engines.stylegan.points import LatentMap, MapPlace, Tile
from generation.explore import points
from generation.models import SavedPoint
from jobs.files import store_folder
from tests.catalog.folders import make_folder
from tests.world import build_world
from training.models import Snapshot
from training.networks import network_key, sweep_fetched


@pytest.fixture
def world(owner, tmp_path):
    """A world in whose experiment two snapshots have weights."""
    world = build_world(owner, tmp_path)
    for step in (200, 300):
        folder = f"jobs/{world.experiment.job_id}/1/snapshots/{step:06d}"
        store_folder(make_folder(tmp_path / str(step), seed=step), folder)
        Snapshot.objects.create(
            experiment=world.experiment,
            step=step,
            attempt=1,
            images_seen=16 * step,
            grid=f"{folder}/grid.png",
            folder=folder,
        )
    return world


@pytest.fixture
def keys(world):
    with_weights = world.experiment.snapshots.exclude(folder="").values_list("pk", flat=True)
    return [network_key(pk) for pk in with_weights]


def test_its_owner_and_workers_find_a_snapshot_and_others_do_not(keys, owner, stranger):
    network = find_network(keys[0], owner)
    assert network.label == "Step 200"
    assert network.title == "Shells"
    assert find_network(keys[0], None).sha256 == network.sha256
    assert find_network(keys[0], stranger) is None
    assert find_network(keys[0], AnonymousUser()) is None


def test_a_sample_without_weights_cannot_be_explored(world, owner):
    assert find_network(network_key(world.snapshot.pk), owner) is None


def test_snapshots_of_one_training_take_each_others_points(keys, owner):
    first, second = (find_network(key, owner) for key in keys)
    assert first.sha256 in second.accepted
    assert siblings_of(second) == [(keys[0], "Step 200"), (keys[1], "Step 300")]


def test_its_files_are_fetched_once_and_go_with_it(world, keys, owner, settings, tmp_path):
    settings.DATA_DIR = tmp_path / "data"
    folder = network_folder(keys[0])
    assert read_model_info(folder).sha256 == find_network(keys[0], owner).sha256
    assert network_folder(keys[0]) == folder
    sweep_fetched()
    assert folder.is_dir()
    world.experiment.snapshots.all().delete()
    sweep_fetched()
    assert not folder.exists()
    with pytest.raises(FileNotFoundError):
        network_folder(keys[0])


def test_pages_of_the_training_lead_to_its_maps(world, keys, owner_client):
    experiment = [world.experiment.pk]
    newest = reverse("generation:network_map", args=[keys[1]])
    assert newest in owner_client.get(reverse("training:experiment_detail", args=experiment)).content.decode()
    assert newest in owner_client.get(reverse("training:experiment_review", args=experiment)).content.decode()
    numbers = [key.partition(":")[2] for key in keys]
    compare = owner_client.get(
        reverse("training:experiment_compare", args=experiment), {"a": numbers[0], "b": numbers[1]}
    )
    assert f"a={keys[0]}&amp;b={keys[1]}" in compare.content.decode()
    beside = owner_client.get(reverse("generation:map_beside"), dict(zip("ab", keys, strict=True)))
    assert beside.status_code == 200
    assert owner_client.get(newest).status_code == 200


def test_points_are_pinned_in_snapshots_and_carry_over_to_the_model(world, keys, owner, owner_client, client):
    first, second = (find_network(key, owner) for key in keys)
    pin = reverse("generation:network_point_create", args=[first.key])
    place = json.dumps(MapPlace(map=LatentMap(), tile=Tile(x=3, y=1)).as_json())
    tray = owner_client.post(pin, {"point": place}, headers={"HX-Request": "true"})
    assert "Pinned: Place 3, 1" in tray.content.decode()
    saved = SavedPoint.objects.get(version=None)
    assert owner_client.post(pin, {"point": place})["Location"] == saved.get_absolute_url()
    assert all(saved in points.tray_of(owner, network) for network in (first, second))
    for address in (
        reverse("generation:network_map", args=[second.key]),
        saved.get_absolute_url(),
        f"{saved.get_absolute_url()}?in={second.key}",
    ):
        page = owner_client.get(address)
        assert page.status_code == 200
        assert str(saved.pk) in page.content.decode()
    shown = owner_client.get(f"/explore/{first.key}/map/", {"point": saved.pk})
    assert shown.context["config"]["map"]["centre"] == json.loads(place)

    model = world.version.model
    model.saved_from = world.experiment.job_id
    model.save(update_fields=["saved_from"])
    world.version.refresh_from_db()
    assert saved in points.tray_of(owner, network_of(world.version))
    world.experiment.snapshots.all().delete()
    assert owner_client.get(saved.get_absolute_url()).context["network"].version == world.version
    model.saved_from = None
    model.save(update_fields=["saved_from"])
    assert owner_client.get(saved.get_absolute_url()).status_code == 404
    delete = reverse("generation:point_delete", args=[saved.pk])
    assert owner_client.post(delete)["Location"] == reverse("generation:map_list")
