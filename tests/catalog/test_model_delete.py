"""Deleting an own model."""

import pytest
from django.urls import reverse

from catalog import registry
from catalog.models import CatalogModel, Derivation
from catalog.registry import Dependents
from tests.catalog.pages import asks_to_sign_in, wrong_methods_are_refused


@pytest.fixture
def url(version):
    return reverse("catalog:model_delete", args=[version.model.owner.handle, version.model.name])


def test_owner_is_asked_then_deletes(owner_client, url):
    assert "Nothing else depends on it." in owner_client.get(url).content.decode()
    assert CatalogModel.objects.exists()
    response = owner_client.post(url)
    assert response["Location"] == reverse("catalog:model_list")
    assert not CatalogModel.objects.exists()


def test_page_says_what_depends_on_it(owner_client, publish, owner, version, url, monkeypatch):
    publish(owner, "cats", seed=1, parents=[(version.source, Derivation.Role.STARTING_POINT)])
    registered = {"images": Dependents(name="images", describe=lambda model: "Three images.")}
    monkeypatch.setattr(registry, "_registered", registered)
    page = owner_client.get(url).content.decode()
    assert "Three images." in page
    assert "Cats" in page


def test_model_in_use_is_409_with_the_reason(owner_client, url, monkeypatch):
    busy = Dependents(name="busy", describe=lambda model: "A training needs it.", blocks=True)
    monkeypatch.setattr(registry, "_registered", {"busy": busy})
    response = owner_client.post(url)
    assert response.status_code == 409
    assert "A training needs it." in response.content.decode()
    assert CatalogModel.objects.exists()


def test_stranger_gets_404_even_for_a_public_model(stranger_client, public_version, url):
    public = reverse("catalog:model_delete", args=[public_version.model.owner.handle, "cats"])
    for address in (url, public):
        assert stranger_client.get(address).status_code == 404
        assert stranger_client.post(address).status_code == 404
    assert CatalogModel.objects.count() == 2


def test_anonymous_is_asked_to_sign_in(client, url):
    assert asks_to_sign_in(client.get(url))
    assert asks_to_sign_in(client.post(url))
    assert CatalogModel.objects.exists()


def test_wrong_methods(owner_client, url):
    assert wrong_methods_are_refused(owner_client, url, {"get", "post"})
