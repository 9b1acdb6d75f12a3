"""/generate/<id>/: watching pictures come."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import reverse

from catalog.services import delete_model
from generation import jobs as generation_jobs
from generation.models import Generation
from jobs.claims import claim_job
from jobs.files import attempt_prefix
from jobs.progress import Report, publish, read_progress
from jobs.revisions import new_revision
from jobs.testing import run_pending
from tests.catalog.pages import asks_to_sign_in, wrong_methods_are_refused

HTMX = {"HX-Request": "true"}


def url_of(generation):
    return reverse("generation:generation_detail", args=[generation.pk])


def rev_of(generation):
    generation.job.refresh_from_db()
    return read_progress(generation.job).rev


def test_waiting_order_shows_its_place_and_empty_slots(owner_client, order):
    order(seeds=[1])
    generation = order(seeds=[1, 2, 3])
    page = owner_client.get(url_of(generation)).content.decode()
    assert "Number 2 in the queue." in page
    assert page.count("tile waiting") == 3
    assert 'hx-trigger="every 1s"' in page
    assert reverse("generation:generation_stop", args=[generation.pk]) in page


def test_poll_of_the_same_revision_is_204(owner_client, order):
    generation = order()
    query = {"rev": rev_of(generation), "have": 0}
    response = owner_client.get(url_of(generation), query, headers=HTMX)
    assert response.status_code == 204
    assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize("query", [{"rev": "x"}, {"rev": "-1"}, {"rev": "", "have": "x"}, {"have": "9" * 99}])
def test_garbage_in_a_poll_is_answered_in_full(owner_client, order, query):
    generation = order()
    assert owner_client.get(url_of(generation), query, headers=HTMX).status_code == 200


def test_poll_brings_only_what_is_new(owner_client, order, monkeypatch):
    monkeypatch.setattr(generation_jobs, "BATCH_SIZE", 2)
    generation = order(seeds=range(6))
    polls = []
    made = generation_jobs.Generator.images

    def images(self, *arguments, **values):
        polls.append(
            owner_client.get(url_of(generation), {"rev": 0, "have": 2}, headers=HTMX).content.decode()
        )
        return made(self, *arguments, **values)

    monkeypatch.setattr(generation_jobs.Generator, "images", images)
    run_pending("generate")
    last = polls[2]
    assert 'id="place-0"' not in last
    assert 'id="place-1"' not in last
    assert last.count('hx-swap-oob="true"') == 2
    assert 'id="place-2"' in last
    assert "have=4" in last
    assert 'id="places"' not in last


def test_finished_order_stops_polling_and_brings_everything(owner_client, made):
    pictures = made(seeds=[1, 2])
    generation = pictures[0].generation
    fragment = owner_client.get(url_of(generation), {"rev": 0, "have": 1}, headers=HTMX).content.decode()
    assert "hx-trigger" not in fragment
    assert 'id="places" hx-swap-oob="true"' in fragment
    for picture in pictures:
        assert reverse("generation:picture_image", args=[picture.pk, "png"]) in fragment
    assert "<html" not in fragment


def test_the_end_brings_the_new_balance_to_the_menu(owner_client, made, settings):
    address = url_of(made(seeds=[1])[0].generation)
    fragment = owner_client.get(address, {"rev": 0, "have": 1}, headers=HTMX).content.decode()
    assert 'id="own-balance"' in fragment
    assert "held" not in fragment.partition('id="own-balance"')[2]

    settings.CREDITS_ENABLED = False
    fragment = owner_client.get(address, {"rev": 0, "have": 1}, headers=HTMX).content.decode()
    assert "own-balance" not in fragment


def test_finished_page_offers_the_same_again(owner_client, made, version):
    generation = made(seeds=[4, 5, 6])[0].generation
    response = owner_client.get(url_of(generation))
    form = owner_client.get(response.context["remix_url"]).context["form"]
    assert form["seeds"].value() == "4-6"
    assert form["truncation_psi"].value() == "0.7"
    assert form["model"].value() == version.model.address


def test_failed_order_shows_the_reason(owner_client, order, version):
    generation = order()
    delete_model(model=version.model)
    run_pending("generate")
    page = owner_client.get(url_of(generation)).content.decode()
    assert "The model was deleted before the images were made." in page
    assert 'hx-trigger="every' not in page


def test_stop_cancels_what_waits(owner_client, order):
    generation = order()
    response = owner_client.post(reverse("generation:generation_stop", args=[generation.pk]))
    assert response["Location"] == url_of(generation)
    generation.job.refresh_from_db()
    assert generation.job.state == "canceled"
    page = owner_client.get(url_of(generation)).content.decode()
    assert "0 of 3 images are here." in page
    assert "tile waiting" not in page


def test_stopping_leaves_the_page_and_what_is_written_on_it(owner_client, order):
    stop = reverse("generation:generation_stop", args=[order().pk])
    response = owner_client.post(stop, headers=HTMX, follow=True)
    fragment = response.content.decode()
    assert 'id="status"' in fragment
    assert "<html" not in fragment
    assert 'id="order"' not in fragment


def test_the_places_have_the_shape_of_what_comes(owner_client, text_order):
    waiting = text_order(seeds=[1, 2], width=24, height=40)
    assert owner_client.get(url_of(waiting)).content.decode().count('viewBox="0 0 24 40"') == 2


def test_the_previews_of_tall_pictures_are_cut_where_they_meet(owner_client, text_order):
    generation = text_order(seeds=[1, 2], width=24, height=40)
    claim_job(queue="generate", worker="worker-1", device_bytes=2**40)
    generation.job.refresh_from_db()
    key = default_storage.save(f"{attempt_prefix(generation.job)}preview.webp", ContentFile(b"webp"))
    report = Report(step=0, total=2, preview=key, values={"under_way": 2})
    publish(generation.job.pk, attempt=1, rev=new_revision(generation.job.rev), report=report)
    page = owner_client.get(url_of(generation)).content.decode()
    assert 'width="48" height="40" preserveAspectRatio="none"' in page
    for left in (0, 24):
        assert f'viewBox="{left} 0 24 40"' in page


def test_stopping_twice_is_harmless(owner_client, made):
    generation = made()[0].generation
    assert owner_client.post(reverse("generation:generation_stop", args=[generation.pk])).status_code == 302
    generation.job.refresh_from_db()
    assert generation.job.state == "succeeded"


def test_stranger_gets_404(stranger_client, order):
    generation = order()
    assert stranger_client.get(url_of(generation)).status_code == 404
    assert (
        stranger_client.get(url_of(generation), {"rev": rev_of(generation)}, headers=HTMX).status_code == 404
    )
    assert (
        stranger_client.post(reverse("generation:generation_stop", args=[generation.pk])).status_code == 404
    )
    generation.job.refresh_from_db()
    assert generation.job.state == "queued"


def test_anonymous_is_asked_to_sign_in(client, order):
    generation = order()
    assert asks_to_sign_in(client.get(url_of(generation)))
    assert asks_to_sign_in(client.post(reverse("generation:generation_stop", args=[generation.pk])))
    poll = client.get(url_of(generation), headers=HTMX)
    assert reverse("account_login") in poll["HX-Redirect"]


def test_wrong_methods(owner_client, order):
    generation = order()
    stop = reverse("generation:generation_stop", args=[generation.pk])
    assert wrong_methods_are_refused(owner_client, url_of(generation), {"get"})
    assert wrong_methods_are_refused(owner_client, stop, {"post"})
    assert Generation.objects.get().job.state == "queued"


def test_queries(owner_client, made, order, django_assert_max_num_queries):
    generation = made(seeds=range(20))[0].generation
    with django_assert_max_num_queries(15):
        owner_client.get(url_of(generation))
    waiting = order()
    with django_assert_max_num_queries(15):
        owner_client.get(url_of(waiting))
    with django_assert_max_num_queries(6):
        owner_client.get(url_of(waiting), {"rev": rev_of(waiting)}, headers=HTMX)
