"""/models/: one's own models."""

import pytest
from django.urls import reverse
from django.utils import timezone

from catalog.models import CatalogModel, PublicationRequest
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


def test_who_may_have_each_is_said(owner_client, publish, owner):
    publish(owner, "kept")
    publish(owner, "shown", seed=1, visibility="public")
    gone = publish(owner, "gone", seed=2, visibility="public").model
    CatalogModel.objects.filter(pk=gone.pk).update(withdrawn_at=timezone.now())
    asked = publish(owner, "asked", seed=3).model
    PublicationRequest.objects.create(model=asked)
    models = {model.name: state for model, state in owner_client.get(URL).context["models"]}
    assert models == {
        "kept": "Private",
        "shown": "Public",
        "gone": "Withdrawn",
        "asked": "Waiting for review",
    }


def test_types_are_tabs_where_there_are_several(owner_client, publish, owner):
    publish(owner, "made")
    assert not owner_client.get(URL).context["tabs"]
    publish(owner, "read", seed=1, type="extract")
    response = owner_client.get(URL, {"type": "extract"})
    assert [model.name for model in response.context["page"]] == ["read"]
    assert [tab["count"] for tab in response.context["tabs"]] == [2, 1, 1]
    assert len(owner_client.get(URL, {"type": "garbage"}).context["page"]) == 2


@pytest.mark.parametrize("count", [1, 12])
def test_queries(owner_client, owner, publish, count, django_assert_max_num_queries):
    for number in range(count):
        publish(owner, f"model-{number}", seed=number)
    with django_assert_max_num_queries(10):
        owner_client.get(URL)
