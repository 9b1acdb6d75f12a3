"""/generate/: what is ordered, paid, shown, and brought back."""

import io
import json

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import ExifTags, Image

from billing.models import CreditAccount
from billing.services import open_account
from catalog.services import delete_model
from generation.models import Generation
from generation.seeds import MAX_SEED
from jobs.files import list_keys
from jobs.testing import run_pending
from tests.catalog.pages import asks_to_sign_in, wrong_methods_are_refused
from tests.generation.sending import HINTS, HTMX, URL, upload
from tests.wallets import give_credits, set_credits


@pytest.fixture
def values(base, owner):
    give_credits(owner, 1000)
    return {"base": base.model.address, "prompt": "a red cat", "count": "2", "steps": "2"}


def content_of(response):
    assert response.status_code == 200
    return b"".join(response.streaming_content)


def test_owner_orders_pictures(owner_client, owner, values, base):
    response = owner_client.post(URL, values)
    generation = Generation.objects.get()
    assert response["Location"] == reverse("generation:generation_detail", args=[generation.pk])
    assert (generation.owner, generation.kind, generation.model_version) == (owner, "text", base)
    assert (generation.prompt, generation.count) == ("a red cat", 2)
    first = generation.seeds[0]
    assert generation.seeds == [first, first + 1]
    assert (generation.settings["width"], generation.settings["height"]) == (128, 128)
    assert generation.job.batch_key == base.sha256
    assert "cat" not in generation.job.label


def test_all_settings_reach_the_order(owner_client, values, adapter):
    sent = {
        **values,
        "adapter": adapter.model.address,
        "prompt": "mimochi cat",
        "negative_prompt": "blue",
        "style": "emoji",
        "ratio": "16:9",
        "resolution": "64",
        "guidance": "2.5",
        "seed": str(MAX_SEED),
        "adapter_strength": "0",
    }
    assert owner_client.post(URL, sent).status_code == 302
    generation = Generation.objects.get()
    told = generation.settings
    assert generation.adapter == adapter
    assert told["seeds"] == [MAX_SEED, 0]
    assert (told["told"], told["told_negative"]) == ("mimochi cat, emoji", "blue")
    assert (told["width"], told["height"]) == (80, 48)
    assert (told["steps"], told["guidance"], told["adapter_strength"]) == (2, 2.5, 0)


def test_posted_owner_and_price_are_ignored(owner_client, owner, stranger, values):
    owner_client.post(URL, {**values, "owner": stranger.pk, "price": "-5", "state": "succeeded"})
    generation = Generation.objects.get()
    assert (generation.owner, generation.job.price_held, generation.job.state) == (owner, 10, "queued")


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_too_many_orders_are_429(owner_client, values, settings, headers):
    settings.GENERATIONS_WAITING_MAX = 1
    owner_client.post(URL, values)
    response = owner_client.post(URL, values, headers=headers)
    assert response.status_code == 429
    assert int(response["Retry-After"]) > 0
    assert "You have 1 order waiting" in response.content.decode()


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_without_credits_it_is_402_and_nothing_is_kept(owner_client, owner, values, headers):
    set_credits(owner, 3)
    response = owner_client.post(URL, {**values, "source": upload()}, headers=headers)
    assert response.status_code == 402
    page = response.content.decode()
    assert "This takes 10 credits and you have 3." in page
    assert "a red cat" in page
    assert not Generation.objects.exists()
    assert list_keys("starts") == []


def test_a_blocked_account_is_402(owner_client, owner, values):
    CreditAccount.objects.filter(pk=open_account(user=owner).pk).update(billing_hold=True)
    assert owner_client.post(URL, values).status_code == 402


def test_htmx_gets_the_result_and_its_address(owner_client, values):
    response = owner_client.post(URL, values, headers=HTMX)
    assert response.status_code == 200
    generation = Generation.objects.get()
    assert response["HX-Push-Url"] == reverse("generation:generation_detail", args=[generation.pk])
    page = response.content.decode()
    assert "<html" not in page
    assert 'id="result"' in page
    assert page.count("tile waiting") == 2
    assert 'hx-trigger="every 1s"' in page


def test_after_a_refusal_the_form_comes_back_clean_with_the_result(owner_client, values):
    refused = owner_client.post(URL, {**values, "count": "0"}, headers=HTMX).content.decode()
    assert 'name="was_refused"' in refused
    page = owner_client.post(URL, {**values, "was_refused": "1"}, headers=HTMX).content.decode()
    form = page.partition('id="order"')[2]
    assert 'hx-swap-oob="true"' in form.partition(">")[0]
    assert "errorlist" not in form
    assert "was_refused" not in form
    plain = owner_client.post(URL, values, headers=HTMX).content.decode()
    assert 'id="order"' not in plain


def test_in_house_mode_nothing_has_a_price(owner_client, values, settings):
    settings.CREDITS_ENABLED = False
    page = owner_client.get(URL).content.decode()
    assert "Make 4 images" in page
    assert "Make 4 images, " not in page
    owner_client.post(URL, values)
    assert Generation.objects.get().job.price_held == 0


@pytest.mark.parametrize("is_there", [True, False])
def test_a_missing_worker_is_said_where_one_orders_and_waits(owner_client, text_order, is_there, monkeypatch):
    for module in ("text_views", "results"):
        monkeypatch.setattr(f"generation.{module}.is_served", lambda queue: is_there)
    order = text_order(seeds=[1])
    for url in (URL, reverse("generation:generation_detail", args=[order.pk])):
        page = owner_client.get(url).content.decode()
        assert ("No worker for images is running" in page) is not is_there


def test_remix_puts_all_settings_back(owner_client, owner, values, adapter):
    sent = {**values, "adapter": adapter.model.address, "style": "emoji", "ratio": "3:4", "seed": "11"}
    owner_client.post(URL, {**sent, "negative_prompt": "blue", "source": upload(), "strength": "0.35"})
    order = Generation.objects.get()
    page = owner_client.get(reverse("generation:generation_detail", args=[order.pk]))
    form = owner_client.get(page.context["remix_url"]).context["form"]
    names = ("adapter", "style", "ratio", "negative_prompt", "prompt", "base")
    assert {name: form[name].value() for name in names} == {
        name: {**sent, "negative_prompt": "blue"}[name] for name in names
    }
    assert (form["seed"].value(), form["count"].value(), form["strength"].value()) == (11, 2, 0.35)
    assert form.kept_order == order
    again = {name: form[name].value() for name in form.fields if form[name].value() not in (None, "")}
    owner_client.post(URL, again)
    second = Generation.objects.exclude(pk=order.pk).get()
    assert second.settings == order.settings
    assert second.source_file != order.source_file
    assert (second.kind, list_keys("starts")) == ("image", sorted((order.source_file, second.source_file)))


def test_somebody_elses_order_and_picture_fill_nothing(stranger_client, owner_client, values, text_order):
    order = text_order(seeds=[1])
    run_pending("generate")
    picture = order.pictures.get()
    for query in ({"remix": order.pk}, {"picture": picture.pk, "use": "start"}):
        assert "a red cat" not in stranger_client.get(URL, query).content.decode()
    response = stranger_client.post(URL, {**values, "picture": picture.pk})
    assert response.status_code == 422
    assert "is gone" in response.content.decode()


@pytest.mark.parametrize("use", ["variations", "start", "mask"])
def test_a_picture_of_the_gallery_is_what_new_ones_start_from(owner_client, text_order, use):
    order = text_order(seeds=[1], width=40, height=24)
    run_pending("generate")
    picture = order.pictures.get()
    context = owner_client.get(URL, {"picture": picture.pk, "use": use}).context
    form = context["form"]
    assert form["prompt"].value() == "a red cat"
    assert form["ratio"].value() == "16:9"
    assert form["seed"].value() is None
    sent = {name: form[name].value() for name in form.fields if form[name].value() not in (None, "")}
    owner_client.post(URL, {**sent, "count": "1", "steps": "2"})
    started = Generation.objects.exclude(pk=order.pk).get()
    assert (started.kind, started.source_picture) == ("image", picture)


def test_an_upload_is_cut_to_size_and_loses_what_came_with_it(owner_client, values):
    exif = Image.Exif()
    exif[0x010F] = "secret camera"
    photo = upload((640, 480), file_format="JPEG", exif=exif)
    owner_client.post(URL, {**values, "source": photo, "mask": upload((640, 480), "L", 255)})
    generation = Generation.objects.get()
    assert generation.kind == "inpaint"
    for part, mode in (("source", "RGB"), ("mask", "L")):
        url = reverse("generation:generation_start", args=[generation.pk, part])
        content = content_of(owner_client.get(url))
        with Image.open(io.BytesIO(content)) as image:
            assert (image.size, image.mode, image.format) == ((128, 128), mode, "PNG")
            assert not image.getexif()
        assert b"secret" not in content


@pytest.mark.parametrize("file_format", ["HEIF", "AVIF", "TIFF", "BMP", "WEBP"])
def test_what_datasets_take_can_be_started_from_and_stands_upright(owner_client, values, file_format):
    picture = Image.new("RGB", (96, 64), "navy")
    picture.paste("white", (0, 0, 96, 16))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 3  # stored upside down
    options = {} if file_format == "BMP" else {"exif": exif.tobytes()}
    buffer = io.BytesIO()
    picture.save(buffer, format=file_format, **options)
    sent = {**values, "ratio": "3:2", "source": SimpleUploadedFile("a", buffer.getvalue())}
    assert owner_client.post(URL, sent).status_code == 302
    order = Generation.objects.get()
    content = content_of(owner_client.get(reverse("generation:generation_start", args=[order.pk, "source"])))
    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("L"))
    top, bottom = pixels[:8].mean(), pixels[-8:].mean()
    assert (top > 200) == (not options)
    assert (bottom > 200) == bool(options)


def test_the_keyword_may_be_missing_and_the_result_can_be_had(owner_client, values, adapter):
    response = owner_client.post(URL, {**values, "adapter": adapter.model.address})
    assert response.status_code == 302
    assert "“mimochi” is not in the prompt" in owner_client.get(response["Location"]).content.decode()


def test_the_page_of_an_order_asks_for_new_pictures_unless_a_seed_was_chosen(owner_client, owner, base):
    give_credits(owner, 100)
    for seed in ("", "11"):
        owner_client.post(URL, {"prompt": "a red cat", "base": base.model.address, "seed": seed, "count": 1})
        order = owner.generations.latest("created_at")
        page = owner_client.get(reverse("generation:generation_detail", args=[order.pk]))
        assert str(page.context["form"]["seed"].value() or "") == seed
        assert remixed(owner_client, order)["seed"].value() == order.seeds[0]


def test_who_deletes_a_start_is_told_that_its_copies_stay(owner_client, owner, text_order, values):
    text_order(seeds=[1])
    run_pending("generate")
    picture = owner.pictures.get()
    delete = reverse("generation:picture_delete", args=[picture.pk])
    sentence = "with a copy of it to start from again"
    assert sentence not in owner_client.get(delete).content.decode()
    owner_client.post(URL, {**values, "picture": picture.pk})
    assert sentence in owner_client.get(delete).content.decode()


def remixed(client, order):
    return client.get(URL, {"remix": order.pk}).context["form"]


def test_a_base_that_is_gone_is_the_one_thing_that_is_wrong(owner_client, base):
    sent = {"prompt": "a red cat", "base": "nobody/gone", "count": "1", "resolution": "128", "style": "icon"}
    assert owner_client.post(URL, sent).context["form"].errors.keys() == {"base"}


def test_remix_of_an_order_whose_base_is_gone(owner_client, text_order, base):
    order = text_order(seeds=[1])
    run_pending("generate")
    delete_model(model=base.model)
    response = owner_client.get(reverse("generation:generation_detail", args=[order.pk]))
    assert response.status_code == 200
    assert response.context["remix_url"] == ""
    picture = order.pictures.get()
    page = owner_client.get(reverse("generation:picture_detail", args=[picture.pk])).content.decode()
    assert "It cannot be upscaled. The model that makes pictures larger" in page


def test_anonymous_is_asked_to_sign_in(client, db):
    assert asks_to_sign_in(client.get(URL))
    assert asks_to_sign_in(client.post(URL))
    assert asks_to_sign_in(client.post(HINTS))


def test_wrong_methods(owner_client, text_order):
    order = text_order(seeds=[1])
    assert wrong_methods_are_refused(owner_client, URL, {"get", "post"})
    assert wrong_methods_are_refused(owner_client, HINTS, {"post"})
    start = reverse("generation:generation_start", args=[order.pk, "source"])
    assert wrong_methods_are_refused(owner_client, start, {"get"})


def test_what_an_order_started_from_is_its_owners(owner_client, stranger_client, client, values):
    owner_client.post(URL, {**values, "source": upload()})
    order = Generation.objects.get()
    source, mask = (
        reverse("generation:generation_start", args=[order.pk, part]) for part in ("source", "mask")
    )
    assert content_of(owner_client.get(source)).startswith(b"\x89PNG")
    assert owner_client.get(mask).status_code == 404
    assert stranger_client.get(source).status_code == 404
    assert asks_to_sign_in(client.get(source))


def test_queries(owner_client, text_order, adapter, django_assert_max_num_queries):
    for number in range(4):
        text_order(seeds=[number], adapter=adapter)
    run_pending("generate")
    with django_assert_max_num_queries(15):
        owner_client.get(URL, {"adapter": adapter.model.address, "prompt": "red cat"})
    order = Generation.objects.first()
    with django_assert_max_num_queries(17):
        owner_client.get(reverse("generation:generation_detail", args=[order.pk]))


def test_settings_are_plain_json(text_order):
    assert json.loads(json.dumps(text_order().settings)) == Generation.objects.get().settings
