"""Pictures of a model held against its training pictures: the nearest one, and what was learnt by heart."""

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.urls import reverse

from catalog.generators import network_of
from catalog.models import Derivation, ModelVersion, Visibility
from catalog.registry import nearest_picture, training_indexes
from engines.images import load_rgb
from engines.stylegan.points import Seed
from generation.exceptions import PointRefusedError
from generation.explore import memorising_jobs, points
from generation.explore.memorising import start_memorisation
from generation.models import Memorisation
from jobs.testing import run_pending
from tests.training.conftest import TINY, publish_tiny
from training import services
from training.models import NearestIndex

HTMX = {"HX-Request": "true"}


@pytest.fixture
def version(trained) -> ModelVersion:
    return services.save_model(experiment=trained)


def test_a_training_picture_finds_itself(version, owner, stranger, dataset):
    image = dataset.images.order_by("name")[3]
    with default_storage.open(image.file) as stored:
        pixels = np.asarray(load_rgb(stored).resize((16, 16)))
    found = nearest_picture(version, owner, pixels)
    assert (found.title, found.is_suspect) == (image.name, True)
    assert found.distance < 0.3
    assert found.url == reverse("training:image_show", args=[dataset.pk, image.pk, "thumb"])
    assert nearest_picture(version, stranger, pixels) is None


def test_a_picture_that_was_taken_out_since_has_no_address(version, owner, dataset):
    dataset.images.all().delete()
    found = nearest_picture(version, owner, np.zeros((16, 16, 3), np.uint8))
    assert (found.title, found.url, found.full_url) == ("", "", "")


def test_the_owner_sees_the_nearest_picture_beside_a_point(version, owner, owner_client, stranger_client):
    saved = points.save_point(owner=owner, network=network_of(version), point=Seed(seed=1))
    url = reverse("generation:point_nearest", args=[saved.pk])
    assert "still being made" in owner_client.get(url, headers=HTMX).content.decode()
    run_pending("generate")
    page = owner_client.get(url, {"move_0": ""})
    assert page.context["nearest"].url in page.content.decode()
    version.model.visibility = Visibility.PUBLIC
    version.model.save(update_fields=["visibility"])
    points.share_point(point=saved, is_shared=True)
    assert stranger_client.get(saved.get_absolute_url()).status_code == 200
    assert stranger_client.get(url).status_code == 404


def test_what_was_learnt_by_heart_is_measured_and_told(
    version, owner_client, stranger_client, owner, monkeypatch
):
    monkeypatch.setattr(memorising_jobs, "SAMPLES", 40)
    page = reverse("catalog:model_detail", args=[owner.handle, version.model.name])
    url = reverse("generation:memorisation_detail", args=[owner.handle, version.model.name])
    assert "Measure it" in owner_client.get(page).content.decode()
    assert "It is being measured" in owner_client.post(url, headers=HTMX).content.decode()
    assert owner_client.post(url)["Location"] == page
    assert Memorisation.objects.get().job.state == "queued"
    run_pending("generate")
    measured = Memorisation.objects.get()
    assert measured.job.state == "succeeded"
    assert measured.figures["samples"] == 40
    assert 0 <= measured.figures["floor"] <= 1
    assert "Floor" in owner_client.get(url, headers=HTMX).content.decode()
    for method in (stranger_client.get, stranger_client.post):
        assert method(url).status_code == 404
    version.model.visibility = Visibility.PUBLIC
    version.model.save(update_fields=["visibility"])
    text = stranger_client.get(page).content.decode()
    assert "Learnt by heart" in text
    assert "Measure" not in text


def test_what_its_origins_were_trained_on_counts_too(version, owner, licence, dataset, tmp_path):
    """What was mixed of this model, or trained on from it, may repeat these pictures as well."""
    child = publish_tiny(owner, licence, tmp_path / "child", TINY, name="child")
    assert training_indexes(child) == []
    Derivation.objects.create(child=child.source, parent=version.source, role=Derivation.Role.STARTING_POINT)
    assert training_indexes(child) == training_indexes(version)
    image = dataset.images.order_by("name")[3]
    with default_storage.open(image.file) as stored:
        pixels = np.asarray(load_rgb(stored).resize((16, 16)))
    assert nearest_picture(child, owner, pixels).title == image.name


def test_without_its_pictures_nothing_is_measured(version, owner, owner_client):
    NearestIndex.objects.all().delete()
    assert training_indexes(version) == []
    with pytest.raises(PointRefusedError, match="cannot be searched any more"):
        start_memorisation(owner=owner, version=version)
    page = owner_client.get(reverse("catalog:model_detail", args=[owner.handle, version.model.name]))
    assert "Learnt by heart" not in page.content.decode()
