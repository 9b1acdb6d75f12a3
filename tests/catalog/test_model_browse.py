"""/catalog/: public models, and searching them."""

import pytest
from django.urls import reverse
from django.utils import timezone

from catalog.models import CatalogModel, Visibility
from tests.catalog.pages import wrong_methods_are_refused

URL = reverse("catalog:model_browse")


@pytest.fixture
def models(publish, owner, stranger):
    publish(owner, "mine")
    publish(stranger, "hidden", seed=1)
    publish(stranger, "foxes", seed=2, visibility=Visibility.PUBLIC, tagline="Red animals, drawn")
    publish(stranger, "owls", seed=3, visibility=Visibility.PUBLIC, description="Birds of the night")
    publish(stranger, "gone", seed=4, visibility=Visibility.PUBLIC)
    CatalogModel.objects.filter(name="gone").update(withdrawn_at=timezone.now())


def titles(response):
    return {model.title for model in response.context["page"]}


def test_owner_sees_public_models_and_own(owner_client, models):
    assert titles(owner_client.get(URL)) == {"Mine", "Foxes", "Owls"}


def test_anonymous_sees_public_models(client, models):
    assert titles(client.get(URL)) == {"Foxes", "Owls"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("fox", {"Foxes"}),
        ("drawn RED", {"Foxes"}),
        ("night", {"Owls"}),
        ("nothing like it", set()),
        ("100%", set()),
        ("_", set()),
        ("\0", {"Foxes", "Owls"}),
        ("x" * 5000, set()),
    ],
)
def test_search(client, models, query, found):
    assert titles(client.get(URL, {"q": query})) == found


def test_fragment_holds_the_results_alone(client, models):
    page = client.get(URL, {"q": "fox"}, headers={"HX-Request": "true"}).content.decode()
    assert "Foxes" in page
    assert "<html" not in page


def test_query_is_shown_as_text(client, models):
    page = client.get(URL, {"q": '"><script>alert(1)</script>'}).content.decode()
    assert "<script>alert" not in page


def test_wrong_methods(client, db):
    assert wrong_methods_are_refused(client, URL, {"get"})
