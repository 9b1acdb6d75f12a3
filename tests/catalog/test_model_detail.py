"""A model's page."""

import pytest
from django.urls import reverse

from catalog.models import CatalogModel, Derivation
from tests.catalog.pages import wrong_methods_are_refused


def url_of(version):
    return reverse("catalog:model_detail", args=[version.model.owner.handle, version.model.name])


def test_owner_sees_what_the_model_is(owner_client, version):
    page = owner_client.get(url_of(version)).content.decode()
    assert "64 × 64 px" in page
    assert version.licence.name in page
    assert reverse("generation:generation_create") + "?model=" in page
    assert reverse("catalog:model_delete", args=[version.model.owner.handle, "faces"]) in page


def test_stranger_gets_404_for_a_private_model(stranger_client, version):
    assert stranger_client.get(url_of(version)).status_code == 404


def test_anonymous_gets_404_for_a_private_model(client, version):
    assert client.get(url_of(version)).status_code == 404


def test_stranger_sees_a_public_model_without_the_owners_buttons(stranger_client, public_version):
    page = stranger_client.get(url_of(public_version)).content.decode()
    assert public_version.model.title in page
    assert reverse("catalog:model_delete", args=[public_version.model.owner.handle, "cats"]) not in page
    assert public_version.model.owner.email not in page


def test_anonymous_sees_a_public_model(client, public_version):
    response = client.get(url_of(public_version))
    assert response.status_code == 200
    assert reverse("generation:generation_create") + "?model=" not in response.content.decode()


def test_unknown_model_is_404(owner_client, owner):
    assert (
        owner_client.get(reverse("catalog:model_detail", args=[owner.handle, "nothing"])).status_code == 404
    )


@pytest.mark.parametrize("field", ["title", "tagline", "description", "training_data", "known_limits"])
def test_markup_in_texts_stays_text(owner_client, version, field):
    evil = '<script>alert(1)</script><img src=x onerror="x"><b hx-get="/">{{7*7}}'
    CatalogModel.objects.update(**{field: evil[:100]})
    page = owner_client.get(url_of(version)).content.decode()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "<b hx-get" not in page


def test_model_without_a_version_has_a_page(owner_client, owner, licences):
    CatalogModel.objects.create(owner=owner, name="empty", title="Empty", type="generate", family="stylegan2")
    assert owner_client.get(reverse("catalog:model_detail", args=[owner.handle, "empty"])).status_code == 200


def test_wrong_methods(owner_client, version):
    assert wrong_methods_are_refused(owner_client, url_of(version), {"get"})


def test_queries(owner_client, publish, owner, version, django_assert_max_num_queries):
    last = version
    for number in range(1, 6):
        last = publish(
            owner, f"m{number}", seed=number, parents=[(last.source, Derivation.Role.STARTING_POINT)]
        )
    with django_assert_max_num_queries(17):
        owner_client.get(url_of(last))
