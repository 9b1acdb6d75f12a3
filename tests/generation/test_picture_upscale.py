"""/gallery/<id>/upscale/: a picture at twice its size."""

import pytest
from django.urls import reverse

from generation.models import Generation
from jobs.testing import run_pending
from tests.catalog.pages import asks_to_sign_in, wrong_methods_are_refused
from tests.wallets import set_credits


@pytest.fixture
def text_picture(text_order):
    order = text_order(seeds=[5])
    run_pending("generate")
    return order.pictures.get()


def url_of(picture, name="upscale"):
    return reverse(f"generation:picture_{name}", args=[picture.pk])


def test_owner_orders_a_larger_copy(owner_client, text_picture):
    page = owner_client.get(url_of(text_picture, "detail")).content.decode()
    assert "Upscale to 64 × 64, 5 credits" in page
    response = owner_client.post(url_of(text_picture))
    order = Generation.objects.get(kind="upscale")
    assert response["Location"] == reverse("generation:generation_detail", args=[order.pk])
    assert order.source_picture == text_picture
    assert order.settings["told"] == text_picture.generation.settings["told"]


def test_what_cannot_be_made_larger_says_why(owner_client, picture):
    response = owner_client.post(url_of(picture), follow=True)
    assert "have no prompt" in response.content.decode()
    assert not Generation.objects.filter(kind="upscale").exists()


def test_without_credits_it_says_what_is_missing(owner_client, owner, text_picture):
    set_credits(owner, 2)
    page = owner_client.post(url_of(text_picture), follow=True).content.decode()
    assert "This takes 5 credits and you have 2." in page


def test_access(owner_client, stranger_client, client, text_picture):
    assert stranger_client.post(url_of(text_picture)).status_code == 404
    assert asks_to_sign_in(client.post(url_of(text_picture)))
    assert wrong_methods_are_refused(owner_client, url_of(text_picture), {"post"})


def test_picture_page_tells_everything_and_leads_on(owner_client, text_picture, base):
    page = owner_client.get(url_of(text_picture, "detail")).content.decode()
    for text in ("a red cat", base.model.title, "Steps", "Euler", "32 × 32 px", "Tiny base by Bo"):
        assert text in page
    for use in ("variations", "start", "mask"):
        assert f"picture={text_picture.pk}&amp;use={use}" in page
