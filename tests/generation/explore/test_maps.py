"""Maps over HTTP: who sees them, what may be asked, what is refused in words."""

import json
import re
from datetime import timedelta

import numpy as np
import pytest
import torch
from django.conf import settings as django_settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog.generators import network_of
from catalog.models import Licence, Visibility
from catalog.services import publish_version
from engines.stylegan.generate import Generator
from engines.stylegan.latent import LatentSpace
from engines.stylegan.points import LatentMap, MapPlace, Seed, Tile, Vector, parse_point
from generation.explore import cache, looks, points
from generation.explore.maps import View
from generation.models import Look, LookPicture
from jobs.testing import run_pending
from tests.catalog.folders import make_folder

ASK = reverse("generation:tiles_ask")
FOREIGN = Vector.of(np.zeros((1, 8), np.float32), model="a" * 64)


def page(version, **values):
    return reverse("generation:map_detail", args=[version.model.owner.handle, version.model.name]) + (
        f"?{'&'.join(f'{name}={value}' for name, value in values.items())}" if values else ""
    )


def ask(client, version, *, latent_map=None, tiles=((0, 0, 0), (1, 0, 0)), **more):
    body = {
        "networks": [network_of(version).key],
        "map": (latent_map or LatentMap()).as_json() if not isinstance(latent_map, dict) else latent_map,
        "tiles": [list(tile) for tile in tiles],
        **more,
    }
    return client.post(ASK, json.dumps(body), content_type="application/json")


def picture(client, version, tile=(0, 0, 0)):
    """Have a tile made; return the answer to a request for its picture."""
    (network,) = ask(client, version, tiles=[tile]).json()["networks"]
    run_pending()
    return get(client, f"{network['base']}{network['keys'][0]}.webp")


def get(client, address):
    """Ask for a picture; its bytes are in `body`."""
    response = client.get(address)
    response.body = response.getvalue()  # closes the file
    return response


def test_the_page_comes_with_its_map_and_a_grid_for_browsers_without_a_script(owner_client, version):
    first = owner_client.get(page(version))
    assert first.status_code == 200
    assert first.content.count(b'class="tile waiting"') == 63
    assert 'http-equiv="refresh"' in first.content.decode()
    run_pending()
    second = owner_client.get(page(version)).content.decode()
    assert second.count(".webp") == 63
    assert "refresh" not in second
    (right,) = re.findall(r'href="([^"]+)" rel="next"', second)
    assert right == "?x=8"
    assert owner_client.get(reverse("generation:map_list")).status_code == 200


def test_maps_belong_to_explore_in_the_navigation(owner_client, version):
    for address, marked in (
        (page(version), ["/explore/"]),
        (reverse("generation:map_list"), ["/explore/"]),
        (
            reverse("catalog:model_detail", args=[version.model.owner.handle, version.model.name]),
            ["/models/"],
        ),
    ):
        text = owner_client.get(address).content.decode()
        rail = text[text.index('class="rail"') : text.index("</nav>")]
        assert re.findall(r'href="([^"]+)"[^>]*aria-current="page"', rail) == marked


def test_a_way_leads_through_the_points_in_the_order_in_which_they_were_pinned(owner_client, owner, version):
    saved = [
        points.save_point(owner=owner, network=network_of(version), point=Seed(seed=seed))
        for seed in range(10)
    ]
    text = owner_client.get(page(version)).content.decode()
    (way,) = re.findall(r'/walk/\?points=([0-9a-f.]+)"', text)
    assert way.split(".") == [one.pk.hex for one in saved[-8:]]
    address = reverse("generation:walk_create", args=[version.model.owner.handle, version.model.name])
    shown = owner_client.get(address, {"points": way}).context["way"]
    assert [one for one, _seen in shown] == saved[-8:]


def test_what_one_sees_stands_in_the_address(owner_client, version):
    view = View(
        map=LatentMap(seed=3, truncation=0.55, distance=0.25, axes=(2, 1), centre=Seed(seed=9)),
        tile=Tile(x=-4, y=2, zoom=1),
    )
    config = owner_client.get(f"{page(version)}?{view.query()}").context["config"]
    assert config["map"] == view.map.as_json()
    assert (config["x"], config["y"], config["zoom"]) == (-4, 2, 1)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"t": "50"}, "Truncation goes from"),
        ({"t": "nan"}, "Truncation goes from"),
        ({"d": "1e9"}, "sampling distance"),
        ({"ax": "500"}, "8 directions"),
        ({"z": "99"}, "zoom"),
        ({"x": str(2**31)}, "from its middle"),
        ({"x": "left"}, "cannot be read"),
        ({"point": "f" * 32}, "not there any more"),
        ({"centre": '{"kind":"seed"}'}, "not complete"),
        ({"centre": json.dumps(FOREIGN.as_json())}, "another model"),
        ({"centre": "[" * 5000}, "cannot be read"),
    ],
)
def test_an_address_without_sense_is_explained_and_shows_the_middle(owner_client, version, values, told):
    response = owner_client.get(page(version), values)
    assert response.status_code == 422
    text = response.content.decode()
    assert told in text
    assert "notice" not in text.partition('id="tray"')[2].partition("</section>")[0]  # said once
    assert response.context["config"]["map"] == LatentMap().as_json()


def test_a_private_map_is_its_owners(owner_client, stranger_client, client, version):
    made = picture(owner_client, version)
    assert made.status_code == 200
    address = made.request["PATH_INFO"]
    for other in (stranger_client, client):
        assert other.get(page(version)).status_code == 404
        assert ask(other, version).status_code == 404
        assert other.get(address).status_code == 404


def test_a_made_picture_is_kept_by_browsers_and_one_that_is_not_comes_later(owner_client, version):
    made = picture(owner_client, version)
    assert made["Content-Type"] == "image/webp"
    assert "immutable" in made["Cache-Control"]
    assert made.body[8:12] == b"WEBP"
    (network,) = ask(owner_client, version, tiles=[(5, 5, 0)]).json()["networks"]
    missing = owner_client.get(f"{network['base']}{network['keys'][0]}.webp")
    assert missing.status_code == 404
    assert missing["Retry-After"]


def test_keys_of_another_model_lead_nowhere(owner_client, version, stranger, tmp_path, client):
    address = picture(owner_client, version).request["PATH_INFO"]
    key = address.rsplit("/", 1)[1].removesuffix(".webp")
    other = publish_version(
        owner=stranger,
        folder=make_folder(tmp_path / "other"),
        name="other",
        title="Other",
        licence=Licence.objects.get(slug="cc0-1.0"),
        visibility=Visibility.PUBLIC,
    )
    assert client.get(page(other)).status_code == 200
    assert client.get(reverse("generation:look", args=[stranger.handle, "other", 1, key])).status_code == 404


def test_visitors_look_at_public_models_in_the_studios_name(client, public_version):
    assert client.get(page(public_version)).status_code == 200
    assert ask(client, public_version).json()["waits"]
    look = Look.objects.get()
    assert look.owner.handle == "atelier"
    assert look.slot.startswith("visitor ")
    run_pending()
    assert len(ask(client, public_version).json()["made"]) == 2
    assert picture(client, public_version).status_code == 200


def test_a_model_that_is_made_private_shows_no_more_tiles(client, public_version):
    address = picture(client, public_version).request["PATH_INFO"]
    model = public_version.model
    model.visibility = Visibility.PRIVATE
    model.save()
    assert client.get(address).status_code == 404


def test_a_post_needs_the_pages_token(public_version):
    assert ask(Client(enforce_csrf_checks=True), public_version).status_code == 403


def test_visitors_are_limited_where_something_has_to_be_made(client, public_version, settings):
    settings.ACCOUNT_RATE_LIMITS = {**django_settings.ACCOUNT_RATE_LIMITS, "look_visitor": "1/m/ip"}
    assert ask(client, public_version).status_code == 200
    assert ask(client, public_version).status_code == 200  # waits for the same
    refused = ask(client, public_version, tiles=[(70, 0, 0)])
    assert refused.status_code == 429
    assert refused["Retry-After"]
    assert "a minute" in refused.json()["problem"]
    run_pending()
    assert ask(client, public_version).status_code == 200  # made


def test_many_visitors_at_once_are_asked_to_wait(client, public_version, monkeypatch):
    ask(client, public_version)
    monkeypatch.setattr(looks, "MAX_VISITORS", 1)
    assert ask(client, public_version).status_code == 429
    assert client.get(page(public_version)).status_code == 200


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"latent_map": {"truncation": 50}}, "Truncation goes from"),
        ({"latent_map": {"centre": FOREIGN.as_json()}}, "another model"),
        ({"latent_map": {"axes": [0, 0]}}, "two different directions"),
        ({"latent_map": {"axes": [0, 9]}}, "8 directions"),
        ({"tiles": [(2**40, 0, 0)]}, "column"),
        ({"tiles": [(0.5, 0, 0)]}, "column"),
        ({"tiles": [(0, 0)]}, "Reload"),
        ({"tiles": []}, "too much"),
        ({"tiles": [(x, 0, 0) for x in range(257)]}, "too much"),
        ({"networks": []}, "Reload"),
        ({"networks": "version"}, "Reload"),
    ],
)
def test_nonsense_is_refused_in_words(owner_client, version, values, told):
    response = ask(owner_client, version, **values)
    assert response.status_code == 422
    assert told in response.json()["problem"]
    assert not Look.objects.exists()


@pytest.mark.parametrize("body", ["", "nonsense", "[]", "{}", "NaN", "[" * 9000])
def test_what_is_no_json_is_refused(owner_client, body):
    assert owner_client.post(ASK, body, content_type="application/json").status_code == 422


def test_a_request_is_no_larger_than_a_map_may_be(owner_client, version):
    assert ask(owner_client, version, more="x" * 400_000).status_code == 422


def test_two_networks_are_made_in_turns(owner_client, version, public_version):
    keys = [network_of(one).key for one in (version, public_version)]
    tiles = [(x, 0, 0) for x in range(20)]
    answer = ask(owner_client, version, tiles=tiles, networks=keys).json()
    assert [len(one["keys"]) for one in answer["networks"]] == [20, 20]
    assert [sheet["network"] for sheet in Look.objects.get().wanted] == keys
    run_pending()
    assert set(ask(owner_client, version, tiles=tiles, networks=keys).json()["made"]) == {
        key for one in answer["networks"] for key in one["keys"]
    }
    address = reverse("generation:map_beside")
    assert owner_client.get(address, {"a": keys[0], "b": keys[1]}).status_code == 200
    assert owner_client.get(address, {"a": keys[0], "b": "version:nonsense"}).status_code == 404


def test_a_middle_within_middles_is_refused_when_it_is_too_deep(owner_client, version):
    latent_map = LatentMap()
    for _level in range(3):
        latent_map = LatentMap(centre=MapPlace(map=latent_map, tile=Tile(x=1, y=1)))
    deeper = {"kind": "map", "map": latent_map.as_json(), "x": 1, "y": 1, "zoom": 0}
    response = ask(owner_client, version, latent_map={"centre": deeper})
    assert response.status_code == 422
    assert "deep" in response.json()["problem"]


def find_centre(client, networks, point):
    body = {"networks": networks, "point": point.as_json()}
    return client.post(reverse("generation:centre_find"), json.dumps(body), content_type="application/json")


def test_one_goes_on_from_middle_to_middle_without_end(owner_client, version, model_folder):
    """A place of a map that has a centre becomes plain values, of the same picture."""
    space, key = LatentSpace(Generator.load(model_folder)), network_of(version).key
    latent_map = LatentMap(centre=Seed(seed=3))
    for row in range(12):
        place = MapPlace(map=latent_map, tile=Tile(x=1, y=row))
        first = find_centre(owner_client, [key], place)
        assert (first.status_code, first.json()) == (202, {"centre": None})
        run_pending()
        centre = parse_point(find_centre(owner_client, [key], place).json()["centre"])
        assert isinstance(centre, Vector)
        assert centre.rows == 1
        assert torch.allclose(space.ws([centre]), space.ws([place]), atol=1e-5)
        latent_map = LatentMap(centre=centre)
    assert ask(owner_client, version, latent_map=latent_map).status_code == 200
    assert LookPicture.objects.filter(key__startswith="v").count() == 12
    kept = [cache.storage_key(one.sha256, one.key) for one in LookPicture.objects.all()]
    assert cache.keys_in_use([*kept, "looks/odd/aa/aa.json"]) == set(kept)


def test_a_middle_of_strangers_or_of_nonsense_is_refused_in_words(owner_client, version, public_version):
    keys = [network_of(one).key for one in (version, public_version)]
    place = MapPlace(map=LatentMap(centre=FOREIGN), tile=Tile(x=1, y=1))
    refused = find_centre(owner_client, keys[:1], place)
    assert (refused.status_code, "another model" in refused.json()["problem"]) == (422, True)
    for body in ("", "{}", "[" * 9000, json.dumps({"networks": keys[:1], "point": {"kind": "seed"}})):
        answer = owner_client.post(reverse("generation:centre_find"), body, content_type="application/json")
        assert answer.status_code == 422
    assert not Look.objects.exists()


def test_the_cache_keeps_to_its_size_and_forgets_what_is_gone(owner_client, version, settings):
    picture(owner_client, version)
    picture(owner_client, version, (1, 0, 0))
    old, new = LookPicture.objects.order_by("used_at")
    LookPicture.objects.filter(pk=old.pk).update(used_at=timezone.now() - timedelta(days=9))
    settings.LOOKS_BYTES = new.size_bytes
    assert cache.trim_cache() == 1
    assert LookPicture.objects.get() == new
    kept = cache.storage_key(new.sha256, new.key)
    assert cache.keys_in_use([kept, cache.storage_key(old.sha256, old.key)]) == {kept}
    version.model.delete()
    assert cache.trim_cache() == 1
    assert not LookPicture.objects.exists()


def test_using_a_picture_keeps_it(owner_client, version):
    picture(owner_client, version)
    before = timezone.now() - timedelta(days=9)
    LookPicture.objects.update(used_at=before)
    ask(owner_client, version, tiles=[(0, 0, 0)])
    assert LookPicture.objects.get().used_at > before


def test_queries(owner_client, version, django_assert_max_num_queries):
    picture(owner_client, version)
    address = reverse("generation:look", args=[version.model.owner.handle, version.model.name, 1, "0" * 64])
    made = address.replace("0" * 64, LookPicture.objects.get().key)
    with django_assert_max_num_queries(4):
        get(owner_client, made)
    owner_client.get(page(version))
    run_pending()
    with django_assert_max_num_queries(15):
        owner_client.get(page(version))
