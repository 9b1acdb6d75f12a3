"""/gallery/<id>/upscale/: a picture at twice its size."""

from urllib.parse import quote

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


@pytest.mark.parametrize(("factor", "size"), [("2", "64 × 64"), ("4", "128 × 128")])
def test_owner_orders_a_larger_copy(owner_client, text_picture, upscaler, factor, size):
    page = owner_client.get(url_of(text_picture, "detail")).content.decode()
    assert f"Upscale to {size}, 5 credits" in page
    response = owner_client.post(url_of(text_picture), {"factor": factor})
    order = Generation.objects.get(kind="upscale")
    assert response["Location"] == reverse("generation:generation_detail", args=[order.pk])
    assert (order.source_picture, order.settings["factor"]) == (text_picture, int(factor))


def test_what_cannot_be_made_larger_says_why(owner_client, text_picture, upscaler, settings):
    settings.UPSCALE_SIDE_MAX = 60
    sentence = "pictures of up to 30 × 30 pixels are made 2 times as large; this one has 32 × 32."
    for page in (
        owner_client.get(url_of(text_picture, "detail")),
        owner_client.post(url_of(text_picture), {"factor": "2"}, follow=True),
    ):
        assert sentence in page.content.decode().lower()
    assert not Generation.objects.filter(kind="upscale").exists()


def test_without_the_network_the_page_says_so(owner_client, picture):
    page = owner_client.get(url_of(picture, "detail")).content.decode()
    assert "It cannot be upscaled. The model that makes pictures larger" in page


def test_other_factors_are_none(owner_client, text_picture, upscaler):
    for factor in ("", "3", "-2", "8", "2.0"):
        assert owner_client.post(url_of(text_picture), {"factor": factor}).status_code == 400


def test_remix_of_a_larger_copy_is_that_of_the_original(owner_client, text_picture, upscaler):
    owner_client.post(url_of(text_picture), {"factor": "2"})
    run_pending("generate")
    larger = Generation.objects.get(kind="upscale").pictures.get()
    owner_client.post(url_of(larger), {"factor": "2"})
    run_pending("generate")
    page = owner_client.get(reverse("generation:picture_list"))
    newest = page.context["pictures"][0]
    assert (newest.width, newest.generation.source_picture) == (128, larger)
    shown = owner_client.get(url_of(newest, "detail"))
    assert "Made larger by" in shown.content.decode()
    form = owner_client.get(shown.context["remix_url"]).context["form"]
    assert [form[name].value() for name in ("prompt", "seed", "steps")] == ["a red cat", 5, 3]
    start = owner_client.get(shown.context["uses"]["start"]).context["form"]
    assert start.chosen_picture == newest
    order_page = owner_client.get(f"/generate/{newest.generation_id}/").context["form"]
    assert order_page["prompt"].value() == "a red cat"
    text_picture.delete()
    assert owner_client.get(url_of(newest, "detail")).context["remix_url"] == ""


def test_a_larger_copy_of_a_picture_from_seeds_leads_back_to_its_form(owner_client, picture, upscaler):
    owner_client.post(url_of(picture), {"factor": "2"})
    run_pending("generate")
    larger = Generation.objects.get(kind="upscale")
    assert owner_client.get(f"/generate/{larger.pk}/").status_code == 200
    url = owner_client.get(url_of(larger.pictures.get(), "detail")).context["remix_url"]
    assert url.startswith(reverse("generation:seeds_create"))


def test_without_credits_it_says_what_is_missing(owner_client, owner, text_picture, upscaler):
    set_credits(owner, 2)
    page = owner_client.post(url_of(text_picture), {"factor": "2"}, follow=True).content.decode()
    assert "This takes 5 credits and you have 2." in page
    back = reverse("generation:picture_detail", args=[text_picture.pk])
    assert f"offer=pack:small&amp;return_to={quote(back, safe='')}" in page


def test_access(owner_client, stranger_client, client, text_picture):
    assert stranger_client.post(url_of(text_picture), {"factor": "2"}).status_code == 404
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
def values(base, upscaler, owner):
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


def test_a_gallery_picture_of_the_form_is_used_and_one_from_before_again(owner_client, values, text_picture):
    owner_client.post(FORM, {**values, "picture": text_picture.pk, "factor": "4"})
    order = Generation.objects.get(kind="upscale")
    assert (order.source_picture, order.settings["factor"], order.prompt) == (text_picture, 4, "a red cat")
    assert owner_client.post(FORM, {**values, "kept": order.pk}).status_code == 302


def test_what_is_wrong_elsewhere_in_the_form_is_no_matter(owner_client, values):
    wrong = {"steps": "-1", "base": "nobody/nothing", "seed": "x", "strength": "9", "count": ""}
    assert owner_client.post(FORM, {**values, **wrong, "source": upload(32, 32)}).status_code == 302


@pytest.mark.parametrize(
    ("sent", "field", "text"),
    [
        ({}, "source", "Choose the picture"),
        ({"source": (1100, 400)}, "source", "made 2 times as large; this one has 1100 × 400."),
        ({"source": (15, 20)}, "source", "too small"),
        ({"picture": "7f1f4e7e-7d4b-4b7b-9f57-0d3f3f3f3f3f"}, "source", "is gone"),
        ({"source": (32, 32), "factor": "3"}, "factor", "not one of"),
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
    assert "Twice as large, 5 credits" in page
    assert "4 times as large, 5 credits" in page


def test_access_to_the_form(client, owner_client, stranger_client, values, text_picture):
    assert asks_to_sign_in(client.post(FORM))
    assert wrong_methods_are_refused(owner_client, FORM, {"post"})
    refused = stranger_client.post(FORM, {**values, "picture": text_picture.pk})
    assert refused.status_code == 422
