"""/gallery/: everything ever made."""

import uuid
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from generation import gallery_views
from generation.models import Picture
from generation.selectors import Cursor
from jobs.testing import run_pending
from tests.catalog.pages import asks_to_sign_in, wrong_methods_are_refused

URL = reverse("generation:picture_list")
HTMX = {"HX-Request": "true"}


@pytest.fixture
def many(made, monkeypatch):
    """Eleven pictures, three of them made in the same microsecond, on pages of four."""
    monkeypatch.setattr(gallery_views, "PAGE_SIZE", 4)
    pictures = made(seeds=range(11))
    moment = timezone.now() - timedelta(days=1)
    Picture.objects.filter(index__in=[3, 4, 5]).update(created_at=moment)
    return pictures


def shown(response):
    return [picture.pk for picture in response.context["pictures"]]


def test_newest_first_and_every_picture_once(owner_client, many):
    found, url, pages = [], URL, 0
    while url:
        response = owner_client.get(url)
        found += shown(response)
        url, pages = response.context["next_url"], pages + 1
    newest_first = list(Picture.objects.order_by("-created_at", "-id").values_list("pk", flat=True))
    assert found == newest_first
    assert pages == 3


def test_scrolling_brings_tiles_alone(owner_client, many):
    next_url = owner_client.get(URL).context["next_url"]
    fragment = owner_client.get(next_url, headers=HTMX).content.decode()
    assert fragment.count('class="tile"') == 4
    assert "<html" not in fragment
    assert 'hx-trigger="revealed, click"' in fragment


def test_new_pictures_do_not_shift_the_pages(owner_client, many, made):
    first = owner_client.get(URL)
    made(seeds=[100])
    second = owner_client.get(first.context["next_url"])
    assert not set(shown(first)) & set(shown(second))


def test_cursor_of_a_deleted_picture_still_works(owner_client, many):
    first = owner_client.get(URL)
    Picture.objects.filter(pk=shown(first)[-1]).delete()
    assert len(shown(owner_client.get(first.context["next_url"]))) == 4


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        ".",
        "1.2.3",
        "1",
        f"x.{uuid.UUID(int=35).hex}",
        f"{'9' * 400}.{uuid.UUID(int=35).hex}",
        f"{'9' * 18}.{uuid.UUID(int=35).hex}",
        f" 1.{uuid.UUID(int=35).hex}",
        f"1_0.{uuid.UUID(int=35).hex}",
        f"1.{uuid.UUID(int=35)}",
        "1.\0",
        "' OR 1=1 --",
    ],
)
def test_tampered_cursor_is_400(owner_client, cursor):
    assert owner_client.get(URL, {"after": cursor}).status_code == 400


def test_cursor_says_the_same_after_a_journey(picture):
    cursor = Cursor.of(picture)
    assert Cursor.parse(str(cursor)) == cursor


def test_strangers_cursor_shows_nothing_of_the_strangers(stranger_client, many):
    cursor = str(Cursor.of(many[-1]))
    assert shown(stranger_client.get(URL, {"after": cursor})) == []


def test_favourites(owner_client, many):
    chosen = many[5]
    Picture.objects.filter(pk=chosen.pk).update(is_favourite=True)
    assert shown(owner_client.get(URL, {"show": "favourites"})) == [chosen.pk]


def test_empty_gallery_says_what_to_do(owner_client):
    assert reverse("generation:generation_create") in owner_client.get(URL).content.decode()
    assert "favourites will be here" in owner_client.get(URL, {"show": "favourites"}).content.decode()


def test_stranger_sees_nothing(stranger_client, picture):
    assert shown(stranger_client.get(URL)) == []


def test_anonymous_is_asked_to_sign_in(client, db):
    assert asks_to_sign_in(client.get(URL))


def test_wrong_methods(owner_client):
    assert wrong_methods_are_refused(owner_client, URL, {"get"})


def test_queries(owner_client, made, django_assert_max_num_queries):
    made(seeds=range(30))
    with django_assert_max_num_queries(8):
        owner_client.get(URL)


def test_search_by_prompt_and_by_model(owner_client, text_order, made, adapter):
    text_order(seeds=[1], prompt="a red cat", adapter=adapter)
    text_order(seeds=[2], prompt="a blue dog")
    run_pending("generate")
    made(seeds=[3])

    def found(text, **query):
        response = owner_client.get(URL, {"q": text, **query})
        return sorted(picture.seed for picture in response.context["pictures"])

    assert found("red") == [1]
    assert found("DOG blue") == [2]
    assert found("tiny lora") == [1]
    assert found("faces") == [3]
    assert found("") == [1, 2, 3]
    assert found("red", show="favourites") == []
    assert "No image matches" in owner_client.get(URL, {"q": "zebra"}).content.decode()
    fragment = owner_client.get(URL, {"q": "red"}, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in fragment
    assert "tile" in fragment
