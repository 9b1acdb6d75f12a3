"""/gallery/compare/ and /gallery/<id>/compare/<id>/: two pictures over each other, and what differs."""

import pytest
from django.urls import reverse

from jobs.testing import run_pending
from tests.catalog.pages import asks_to_sign_in, wrong_methods_are_refused

CHOOSE = reverse("generation:picture_choose")


def url_of(one, other):
    return reverse("generation:picture_compare", args=[one.pk, other.pk])


@pytest.fixture
def pair(text_order, owner):
    """Two pictures that differ in seed, guidance and prompt."""
    text_order(seeds=[1], guidance=2.0)
    text_order(seeds=[2], guidance=3.0, prompt="a blue cat")
    run_pending("generate")
    return list(owner.pictures.order_by("created_at"))


def test_what_differs_is_listed_and_nothing_else(owner_client, pair):
    first, second = pair
    page = owner_client.get(url_of(first, second))
    assert page.context["differences"] == [
        ("Prompt", "a red cat", "a blue cat"), ("Seed", 1, 2), ("Guidance", 2.0, 3.0)
    ]  # fmt: skip
    assert url_of(second, first) in page.content.decode()
    assert "the same settings made both" in owner_client.get(url_of(first, first)).content.decode()


def test_a_picture_from_seeds_can_be_held_against_one_from_text(owner_client, pair, picture):
    names = [name for name, *_values in owner_client.get(url_of(pair[0], picture)).context["differences"]]
    assert names == ["Prompt", "Model", "Seed", "Steps", "Sampler", "Guidance", "Size", "Truncation"]


def test_two_are_chosen_in_the_gallery(owner_client, pair):
    first, second = pair
    response = owner_client.post(CHOOSE, {"pictures": [second.pk, first.pk]})
    assert response["Location"] == url_of(first, second)
    for chosen in ([], [first.pk]):
        page = owner_client.post(CHOOSE, {"pictures": chosen}, follow=True).content.decode()
        assert "Choose two images, then compare them." in page


def test_others_pictures_are_as_if_they_were_not_there(owner_client, stranger_client, client, pair):
    assert stranger_client.get(url_of(*pair)).status_code == 404
    location = stranger_client.post(CHOOSE, {"pictures": [one.pk for one in pair]})["Location"]
    assert location == reverse("generation:picture_list")
    assert owner_client.post(CHOOSE, {"pictures": ["x", "y"]}).status_code == 404
    assert asks_to_sign_in(client.get(url_of(*pair)))
    assert wrong_methods_are_refused(owner_client, url_of(*pair), {"get", "head"})
    assert wrong_methods_are_refused(owner_client, CHOOSE, {"post"})
