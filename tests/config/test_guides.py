"""/guides/: pages to read."""

import pytest
from django.urls import reverse

from config.guides import GUIDES
from tests.catalog.pages import wrong_methods_are_refused

SLUGS = [guide.slug for guide in GUIDES]


def test_everybody_finds_every_guide(client, db):
    page = client.get(reverse("guide_list")).content.decode()
    assert all(reverse("guide_detail", args=[slug]) in page for slug in SLUGS)


@pytest.mark.parametrize("slug", SLUGS)
def test_a_guide_leads_to_the_others_and_to_where_one_begins(client, owner_client, slug):
    for who in (client, owner_client):
        page = who.get(reverse("guide_detail", args=[slug])).content.decode()
        assert all(reverse("guide_detail", args=[other]) in page for other in SLUGS if other != slug)
        assert "<h2>" in page


def test_prices_are_not_spoken_of_in_a_house(client, db, settings):
    url = reverse("guide_detail", args=["ai-training"])
    assert "fixed price" in client.get(url).content.decode()
    settings.CREDITS_ENABLED = False
    assert "fixed price" not in client.get(url).content.decode()


def test_an_unknown_guide_is_404(client, db):
    assert client.get(reverse("guide_detail", args=["cooking"])).status_code == 404


def test_wrong_methods(client, db):
    for url in (reverse("guide_list"), reverse("guide_detail", args=[SLUGS[0]])):
        assert wrong_methods_are_refused(client, url, {"get"})
