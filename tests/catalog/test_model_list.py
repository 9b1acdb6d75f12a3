"""/models/: one's own models."""

import pytest
from django.urls import reverse

from catalog.models import CatalogModel
from tests.catalog.pages import asks_to_sign_in, wrong_methods_are_refused

URL = reverse("catalog:model_list")


def test_owner_sees_own_models(owner_client, publish, owner, stranger):
    publish(owner, "mine")
    publish(stranger, "theirs", seed=1, visibility="public")
    page = owner_client.get(URL).content.decode()
    assert "Mine" in page
    assert "Theirs" not in page


def test_stranger_sees_none_of_them(stranger_client, version):
    page = stranger_client.get(URL).content.decode()
    assert version.model.title not in page
    assert reverse("training:experiment_create") in page


def test_anonymous_is_asked_to_sign_in(client, db):
    assert asks_to_sign_in(client.get(URL))


def test_wrong_methods(owner_client):
    assert wrong_methods_are_refused(owner_client, URL, {"get"})


def test_pages_turn(owner_client, owner, publish):
    model = publish(owner).model
    CatalogModel.objects.bulk_create(
        CatalogModel(owner=owner, name=f"m{n}", title=f"Model {n}", type=model.type, family=model.family)
        for n in range(30)
    )
    first, second = (owner_client.get(URL, {"page": page}).content.decode() for page in (1, 2))
    assert first.count('class="card"') == 24
    assert second.count('class="card"') == 7
    for garbage in ("x", "-1", "10000000000000000000000"):
        assert owner_client.get(URL, {"page": garbage}).status_code == 200


@pytest.mark.parametrize("count", [1, 12])
def test_queries(owner_client, owner, publish, count, django_assert_max_num_queries):
    for number in range(count):
        publish(owner, f"model-{number}", seed=number)
    with django_assert_max_num_queries(10):
        owner_client.get(URL)
