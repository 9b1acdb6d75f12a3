"""Pages of walks: points in order, a preview at once, the order, the film, sharing."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import reverse

from catalog.generators import network_of
from catalog.models import Visibility
from engines.stylegan.points import Seed
from engines.stylegan.walking import Walk
from generation.explore import walks
from generation.explore.points import save_point
from generation.models import Look
from generation.models import Walk as WalkRow
from jobs.models import Job, State
from jobs.testing import run_pending
from tests.catalog.pages import asks_to_sign_in, wrong_methods_are_refused
from tests.wallets import give_credits, set_credits

FRAGMENT = {"HX-Request": "true"}
PREVIEW = {**FRAGMENT, "HX-Target": "walk-preview"}


@pytest.fixture
def page(version) -> str:
    return reverse("generation:walk_create", args=[version.model.owner.handle, version.model.name])


@pytest.fixture
def points(owner, version):
    network = network_of(version)
    return [save_point(owner=owner, network=network, point=Seed(seed=seed)) for seed in (1, 2, 3)]


@pytest.fixture
def film(owner, version) -> WalkRow:
    """A walk that is made."""
    walk = Walk(points=(Seed(seed=1), Seed(seed=2)))
    row = walks.start_walk(owner=owner, network=network_of(version), walk=walk, file_format="mp4")
    Job.objects.filter(pk=row.job_id).update(state=State.SUCCEEDED)
    row.file = default_storage.save("jobs/a/1/walk.mp4", ContentFile(b"film"))
    row.poster = default_storage.save("jobs/a/1/poster.webp", ContentFile(b"poster"))
    row.size_bytes = 4
    row.save()
    return WalkRow.objects.get(pk=row.pk)


def text_of(response) -> str:
    return " ".join(response.content.decode().split())


def chosen(points) -> dict[str, list[str]]:
    return {"point": [str(one.pk) for one in points]}


def test_without_points_the_map_is_shown_the_way_to(owner_client, page):
    assert "Pin at least two pictures" in text_of(owner_client.get(page))


def test_points_are_pressed_in_their_order(owner_client, page, points):
    first, second, _third = points
    shown = text_of(owner_client.get(page, {"point": [str(second.pk), str(first.pk)]}))
    way = shown[shown.index('<ol class="way"') : shown.index("</ol>")]
    assert way.index(str(second.pk)) < way.index(str(first.pk))
    assert "49 frames, 2.0 seconds." in shown
    assert "Make it, 3 credits" in shown
    moved = owner_client.post(page, {"point": [str(second.pk), str(first.pk)], "do": "up:1"})
    assert moved.url == f"{page}?points={first.pk.hex}.{second.pk.hex}"
    assert "49 frames" in text_of(owner_client.get(moved.url))
    fragment = owner_client.post(page, {**chosen([first]), "do": f"add:{second.pk}"}, headers=FRAGMENT)
    assert "<html" not in text_of(fragment)
    assert fragment["HX-Replace-Url"] == moved.url


def test_the_preview_comes_at_once_and_costs_nothing(owner_client, page, points):
    asked = {**chosen(points[:2]), "easing": "linear"}
    waiting = text_of(owner_client.get(page, asked))
    assert 'hx-trigger="every 700ms"' in waiting
    run_pending()
    ready = text_of(owner_client.get(page, asked, headers=PREVIEW))
    assert "every 700ms" not in ready
    assert ready.count('data-step="') == 25
    assert 'data-plays="82"' in ready  # 49 frames at 24 a second, shown in 25
    # Another pace shows the same pictures.
    slower = text_of(owner_client.get(page, {**asked, "seconds": "4"}, headers=PREVIEW))
    assert 'data-plays="162"' in slower
    assert not Look.objects.exists()
    assert not Job.objects.exists()


def test_a_walk_is_ordered(owner_client, owner, page, points):
    give_credits(owner, 100)
    values = {"seconds": "1", "fps": "10", "loop": "on", "format": "gif", "title": "Round"}
    response = owner_client.post(page, {**chosen(points), **values, "do": "order"})
    row = WalkRow.objects.get()
    assert response.url == row.get_absolute_url()
    assert (row.title, row.format, row.job.total) == ("Round", "gif", 30)
    assert len(row.settings["points"]) == 3
    detail = text_of(owner_client.get(row.get_absolute_url()))
    assert 'hx-trigger="every 1s"' in detail
    assert owner_client.post(reverse("generation:walk_stop", args=[row.pk])).status_code == 302
    row.job.refresh_from_db()
    assert row.job.state == State.CANCELED


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"seconds": "60", "fps": "60"}, "7,201 frames; 3,600 are allowed"),
        ({"seconds": "60", "format": "gif"}, "2,881 frames; 720 are allowed"),
        ({"seconds": "nan"}, "Enter a number"),
        ({"seconds": "1e9"}, "0.1 to 60 seconds"),
        ({"fps": "0"}, "greater than or equal to 1"),
        ({"truncation": "50", "space": "z"}, "less than or equal to 2"),
        ({"space": "q"}, "Select a valid choice"),
        ({"format": "exe"}, "Select a valid choice"),
        ({"title": "a\u0007b"}, "cannot be shown"),
    ],
)
def test_what_cannot_be_is_refused_in_words(owner_client, page, points, values, sentence):
    response = owner_client.post(page, {**chosen(points), **values, "do": "order"})
    assert response.status_code == 422
    assert sentence in text_of(response)
    assert not WalkRow.objects.exists()


def test_too_few_points_and_hostile_ones(owner_client, page, points, stranger, publish):
    for way in ([], [str(points[0].pk)], ["x", "\0", "0" * 500]):
        response = owner_client.post(page, {"point": way, "do": "order"})
        assert response.status_code == 422
        assert "at least two points" in text_of(response)
    theirs = save_point(owner=stranger, network=network_of(publish(stranger)), point=Seed(seed=9))
    response = owner_client.post(page, {"point": [str(points[0].pk), str(theirs.pk)], "do": "order"})
    assert response.status_code == 422
    many = owner_client.post(page, {"point": [str(points[0].pk)] * 300, "do": "order"})
    assert "2 to 100 points" in text_of(many)
    longest = owner_client.post(page, {"point": [str(points[0].pk)] * 100})
    assert len(longest.url) < 4000  # what servers take


def test_without_credits_it_says_what_is_missing(owner_client, owner, page, points):
    set_credits(owner, 0)
    response = owner_client.post(page, {**chosen(points), "do": "order"})
    assert response.status_code == 402
    assert not WalkRow.objects.exists()


def test_a_film_is_played_downloaded_and_listed(owner_client, film):
    detail = text_of(owner_client.get(film.get_absolute_url()))
    address = reverse("generation:walk_file", args=[film.pk, "mp4"])
    assert f'src="{address}"' in detail
    assert "every 1s" not in detail
    saved = owner_client.get(address, {"download": ""})
    assert saved.getvalue() == b"film"
    assert (saved["Content-Type"], "attachment" in saved["Content-Disposition"]) == ("video/mp4", True)
    part = owner_client.get(address, headers={"Range": "bytes=0-1"})
    assert (part.status_code, part.getvalue()) == (206, b"fi")
    assert owner_client.get(reverse("generation:walk_file", args=[film.pk, "gif"])).status_code == 404
    assert owner_client.get(reverse("generation:walk_poster", args=[film.pk])).getvalue() == b"poster"
    assert film.title in text_of(owner_client.get(reverse("generation:walk_list")))
    fragment = text_of(owner_client.get(film.get_absolute_url(), {"rev": "0"}, headers=FRAGMENT))
    assert 'id="walk-actions" hx-swap-oob="true"' in fragment


def test_a_walk_is_shared_where_its_model_is(client, owner_client, stranger_client, film):
    share = reverse("generation:walk_share", args=[film.pk])
    owner_client.post(share, {"on": "1"})
    others = (client, stranger_client)
    assert [one.get(film.get_absolute_url()).status_code for one in others] == [404, 404]
    type(film.version.model).objects.update(visibility=Visibility.PUBLIC)
    for one in others:
        shown = text_of(one.get(film.get_absolute_url()))
        assert film.title in shown
        assert "Receipt" not in shown
        assert one.get(reverse("generation:walk_file", args=[film.pk, "mp4"])).getvalue() == b"film"
    assert f"http://testserver{film.get_absolute_url()}" in text_of(owner_client.get(film.get_absolute_url()))
    owner_client.post(share)
    assert [one.get(film.get_absolute_url()).status_code for one in others] == [404, 404]


def test_walks_are_their_owners(client, stranger_client, page, film):
    for name in ("detail", "poster", "delete"):
        assert stranger_client.get(reverse(f"generation:walk_{name}", args=[film.pk])).status_code == 404
    for name in ("share", "stop", "delete"):
        assert stranger_client.post(reverse(f"generation:walk_{name}", args=[film.pk])).status_code == 404
    assert stranger_client.get(page).status_code == 404
    assert asks_to_sign_in(client.get(page))
    assert asks_to_sign_in(client.get(reverse("generation:walk_list")))
    assert client.get(film.get_absolute_url()).status_code == 404


def test_wrong_methods(owner_client, page, film):
    assert wrong_methods_are_refused(owner_client, page, allowed={"get", "post"})
    assert wrong_methods_are_refused(owner_client, film.get_absolute_url(), allowed={"get"})


def test_a_film_is_deleted(owner_client, film):
    address = reverse("generation:walk_delete", args=[film.pk])
    assert "Delete the walk" in text_of(owner_client.get(address))
    assert owner_client.post(address).url == reverse("generation:walk_list")
    assert not WalkRow.objects.exists()
