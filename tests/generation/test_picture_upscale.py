"""/gallery/<id>/upscale/: a picture at twice its size."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from generation.models import Generation
from jobs.files import list_keys
from jobs.testing import run_pending
from tests.catalog.pages import asks_to_sign_in, wrong_methods_are_refused
from tests.training import crafted
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


def test_what_cannot_be_made_larger_says_why(owner_client, text_picture, settings):
    settings.UPSCALE_SIDE_MAX = 60
    sentence = "pictures of up to 30 × 30 pixels are made larger; this one has 32 × 32."
    assert sentence in owner_client.get(url_of(text_picture, "detail")).content.decode()
    assert sentence in owner_client.post(url_of(text_picture), follow=True).content.decode()
    assert not Generation.objects.filter(kind="upscale").exists()


def test_without_a_base_a_picture_from_seeds_says_what_is_missing(owner_client, picture):
    page = owner_client.get(url_of(picture, "detail")).content.decode()
    assert "It cannot be upscaled. Upscaling redraws it with a base model" in page


def test_a_picture_from_seeds_says_which_base_redraws_it(owner_client, picture, base):
    page = owner_client.get(url_of(picture, "detail")).content.decode()
    assert f"Upscale to {2 * picture.width} × {2 * picture.height}, 5 credits" in page
    assert "Upscaling redraws it with Tiny base." in page
    assert owner_client.post(url_of(picture)).status_code == 302
    assert owner_client.get(f"/generate/{Generation.objects.get(kind='upscale').pk}/").status_code == 200


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


FORM = reverse("generation:upscale_start")


@pytest.fixture
def values(base, owner):
    set_credits(owner, 100)
    return {"base": base.model.address, "prompt": "", "count": "4"}


def upload(width, height, file_format="PNG"):
    return SimpleUploadedFile(
        "a", crafted.encoded(crafted.picture(1, width=width, height=height), file_format)
    )


@pytest.mark.parametrize("file_format", ["PNG", "HEIF", "AVIF", "TIFF", "BMP"])
def test_a_picture_of_ones_own_is_made_larger_whole(owner_client, values, file_format):
    response = owner_client.post(FORM, {**values, "source": upload(40, 24, file_format)})
    order = Generation.objects.get()
    assert response["Location"] == reverse("generation:generation_detail", args=[order.pk])
    assert (order.kind, order.count, order.job.price_held) == ("upscale", 1, 5)
    run_pending("generate")
    order.job.refresh_from_db()
    assert (order.job.state, order.job.price_charged) == ("succeeded", 5)
    made = order.pictures.get()
    assert (made.width, made.height) == (80, 48)
    page = owner_client.get(response["Location"]).content.decode()
    assert "<h2>Upscaled</h2>" in page


def test_models_words_and_a_gallery_picture_of_the_form_are_used(owner_client, values, adapter, text_picture):
    sent = {**values, "adapter": adapter.model.address, "prompt": "mimochi cat", "picture": text_picture.pk}
    owner_client.post(FORM, {**sent, "seed": "7"})
    order = Generation.objects.get(kind="upscale")
    assert (order.adapter, order.source_picture, order.seeds) == (adapter, text_picture, [7])
    assert order.settings["told"] == "mimochi cat"
    again = owner_client.post(FORM, {**values, "kept": order.pk})
    assert again.status_code == 302


@pytest.mark.parametrize(
    ("sent", "field", "text"),
    [
        ({}, "source", "Choose the picture"),
        ({"source": (900, 400)}, "source", "up to 400 × 400 pixels are made larger; this one has 900 × 400."),
        ({"source": (15, 20)}, "source", "too small"),
        ({"picture": "7f1f4e7e-7d4b-4b7b-9f57-0d3f3f3f3f3f"}, "source", "is gone"),
        ({"source": (32, 32), "base": "nobody/nothing"}, "base", "cannot use this base"),
    ],
)
def test_what_cannot_be_is_422_beside_the_field(owner_client, values, sent, field, text):
    if "source" in sent:
        sent = {**sent, "source": upload(*sent["source"])}
    response = owner_client.post(FORM, {**values, **sent}, headers={"HX-Request": "true"})
    assert response.status_code == 422
    assert text in str(response.context["form"].errors[field])
    assert not Generation.objects.exists()
    assert list_keys("starts") == []


def test_the_form_names_the_price(owner_client, values):
    page = owner_client.get(reverse("generation:generation_create")).content.decode()
    assert "Only make it twice as large, 5 credits" in page


def test_access_to_the_form(client, owner_client, stranger_client, values, text_picture):
    assert asks_to_sign_in(client.post(FORM))
    assert wrong_methods_are_refused(owner_client, FORM, {"post"})
    refused = stranger_client.post(FORM, {**values, "picture": text_picture.pk})
    assert refused.status_code == 422
