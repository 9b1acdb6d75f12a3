"""Pages of points: pinning, the tray, sliders and mixing, sharing, names of directions."""

import html
import json
import re

import pytest
from django.test import Client
from django.urls import reverse

from catalog.generators import network_of
from catalog.models import Visibility
from engines.stylegan.points import Mix, Moved, Seed
from generation.explore import points
from generation.models import Look, SavedPoint
from jobs.testing import run_pending

HTMX = {"HX-Request": "true"}


@pytest.fixture
def network(version):
    return network_of(version)


@pytest.fixture
def saved(owner, network):
    return points.save_point(owner=owner, network=network, point=Seed(seed=5))


@pytest.fixture
def create_url(owner, version):
    return reverse("generation:point_create", args=[owner.handle, version.model.name])


def show(model, visibility=Visibility.PUBLIC):
    model.visibility = visibility
    model.save(update_fields=["visibility"])


def test_pinning_gives_the_tray_or_leads_to_the_point(owner_client, create_url):
    sent = {"point": json.dumps({"kind": "seed", "seed": 3})}
    tray = owner_client.post(create_url, sent, headers=HTMX)
    assert tray.status_code == 200
    assert 'id="tray"' in tray.content.decode()
    assert "Pinned: Seed 3" in tray.content.decode()
    saved = SavedPoint.objects.get()
    assert owner_client.post(create_url, sent)["Location"] == saved.get_absolute_url()
    assert SavedPoint.objects.count() == 1


def test_what_cannot_be_pinned_is_said_and_the_tray_stays(owner_client, create_url, saved):
    vector = {"kind": "vector", "model": "a" * 64, "rows": 1, "width": 1, "data": "AACAPw=="}
    for point in ("nonsense", json.dumps({"kind": "seed", "seed": 1, "truncation": 50}), json.dumps(vector)):
        answer = owner_client.post(create_url, {"point": point}, headers=HTMX)
        assert answer.status_code == 422
        assert 'role="alert"' in answer.content.decode()
        assert str(saved.pk) in answer.content.decode()
        back = owner_client.post(create_url, {"point": point, "next": "https://elsewhere.example/"})
        assert back["Location"].startswith("/catalog/")
    assert SavedPoint.objects.count() == 1


def test_others_pin_in_trays_of_their_own(stranger_client, create_url, version, saved):
    sent = {"point": json.dumps({"kind": "seed", "seed": 3})}
    assert stranger_client.post(create_url, sent).status_code == 404
    show(version.model)
    tray = stranger_client.post(create_url, sent, headers=HTMX).content.decode()
    assert "Seed 3" in tray
    assert "Seed 5" not in tray


def test_a_point_has_its_picture_and_those_of_its_sliders(owner_client, saved):
    page = owner_client.get(saved.get_absolute_url())
    assert page.status_code == 200
    text = page.content.decode()
    assert text.count("data-look") == 1 + 2 * 8
    assert 'name="move_7"' in text
    run_pending("generate")
    assert not Look.objects.exists()
    picture = owner_client.get(page.context["seen"].url)
    assert picture["Content-Type"] == "image/webp"
    picture.getvalue()


def test_a_page_learns_which_pictures_are_there_by_now(owner_client, stranger_client, saved, network):
    url = reverse("generation:looks_made", args=[network.key])
    key = owner_client.get(saved.get_absolute_url()).context["seen"].key
    assert owner_client.get(url, {"keys": key}).json() == {"made": []}
    run_pending("generate")
    assert owner_client.get(url, {"keys": f"{key},nonsense,,\0"}).json() == {"made": [key]}
    assert stranger_client.get(url, {"keys": key}).status_code == 404
    assert owner_client.get(reverse("generation:looks_made", args=["nonsense"])).status_code == 404


def test_sliders_move_it_and_the_address_says_so(owner_client, saved):
    answer = owner_client.get(
        saved.get_absolute_url(), {"layers": "coarse", "move_0": "2", "move_1": "0", "mix": ""}, headers=HTMX
    )
    assert answer["HX-Replace-Url"] == f"{saved.get_absolute_url()}?move_0=2&layers=coarse"
    text = answer.content.decode()
    sent = re.search(r'name="point" value="([^"]+)"', text)
    shape = points.read_point(html.unescape(sent[1]))
    assert isinstance(shape, Moved)
    assert (shape.moves[0].strength, shape.moves[0].first) == (2.0, 0)
    assert "Changed" in text


def test_two_points_are_mixed_by_layers(owner_client, owner, network, saved):
    other = points.save_point(owner=owner, network=network, point=Seed(seed=6))
    query = {"mix": str(other.pk), "fine": "0.5", "coarse": "0"}
    shape = owner_client.get(saved.get_absolute_url(), query).context["opened"].shape
    assert shape == Mix(first=Seed(seed=5), second=Seed(seed=6), fine=0.5)


@pytest.mark.parametrize(
    "query", [{"move_0": "50"}, {"fine": "nan", "mix": ""}, {"layers": "x"}, {"move_1": "a"}]
)
def test_nonsense_in_the_address_is_said_beside_the_picture(owner_client, saved, query):
    answer = owner_client.get(saved.get_absolute_url(), query)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()
    assert answer.context["opened"].shape == Seed(seed=5)


def test_a_shared_point_opens_for_everybody_where_the_model_does(client, stranger_client, saved, version):
    url = saved.get_absolute_url()
    show(version.model)
    assert {one.get(url).status_code for one in (client, stranger_client)} == {404}
    points.share_point(point=saved, is_shared=True)
    for one in (client, stranger_client):
        page = one.get(url)
        assert page.status_code == 200
        assert "A point that" in page.content.decode()
        assert saved.owner.email not in page.content.decode()
    show(version.model, Visibility.PRIVATE)
    assert client.get(url).status_code == 404


def test_changing_and_deleting_are_the_owners(owner_client, stranger_client, client: Client, saved):
    change, delete = (reverse(f"generation:point_{what}", args=[saved.pk]) for what in ("change", "delete"))
    points.share_point(point=saved, is_shared=True)
    for url in (change, delete):
        assert stranger_client.post(url).status_code == 404
        assert client.post(url).status_code == 302
    owner_client.post(change, {"title": "Best", "shared": "0"})
    saved.refresh_from_db()
    assert (saved.title, saved.is_shared) == ("Best", False)
    assert owner_client.get(delete).status_code == 200
    assert owner_client.post(delete).status_code == 302
    assert not SavedPoint.objects.exists()


def test_deleting_from_the_tray_gives_the_tray(owner_client, saved, network):
    url = reverse("generation:point_delete", args=[saved.pk])
    tray = owner_client.post(url, {"in": network.key}, headers=HTMX).content.decode()
    assert 'id="tray"' in tray
    assert str(saved.pk) not in tray


def test_the_owner_names_directions_for_all(owner_client, stranger_client, owner, version, saved):
    url = reverse("generation:direction_names", args=[owner.handle, version.model.name])
    show(version.model)
    assert stranger_client.post(url, {"name_0": "Mine"}).status_code == 404
    assert owner_client.post(url, {"name_0": "Smile"}).status_code == 302
    points.share_point(point=saved, is_shared=True)
    assert "Smile" in stranger_client.get(saved.get_absolute_url()).content.decode()


def test_wrong_methods(owner_client, saved, create_url):
    assert owner_client.get(create_url).status_code == 405
    assert owner_client.post(saved.get_absolute_url()).status_code == 405
