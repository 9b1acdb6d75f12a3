"""Snapshots as networks: who finds them, what they take, where their files come to lie."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.urls import reverse

from catalog.generators import find_network, network_folder, siblings_of
from engines.manifest import read_model_info
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
