"""/generate/: pictures from text."""

import io
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils.html import escape
from PIL import Image

from billing.models import CreditAccount
from billing.services import open_account
from catalog.models import Visibility
from catalog.services import delete_model
from engines.diffusion.words import Words, write_words
from generation.models import BlockedWord, Generation, PromptStyle
from generation.seeds import MAX_SEED
from generation.starts import MAX_PIXELS
from jobs.files import list_keys
from jobs.models import Job
from jobs.testing import run_pending
from tests.catalog.bases import publish_tiny_base, publish_tiny_lora, tiny_base_folder
from tests.catalog.pages import asks_to_sign_in, wrong_methods_are_refused
from tests.wallets import give_credits, set_credits

URL = reverse("generation:generation_create")
HINTS = reverse("generation:generation_hints")
HTMX = {"HX-Request": "true"}


@pytest.fixture
def values(base, owner):
    give_credits(owner, 1000)
    return {"base": base.model.address, "prompt": "a red cat", "count": "2", "steps": "2"}


def upload(size=(64, 48), mode="RGB", colour="tan", file_format="PNG", **options):
    """A picture from somebody's disk."""
    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, format=file_format, **options)
    return SimpleUploadedFile("a.png", buffer.getvalue())


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


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("base", "nobody/nothing"),
        ("base", "\0"),
        ("adapter", "nobody/nothing"),
        ("adapter", "x" * 500),
        ("prompt", ""),
        ("prompt", "   "),
        ("prompt", "x" * 10_000),
        ("prompt", "a\0cat"),
        ("negative_prompt", "x" * 10_000),
        ("style", "oil"),
        ("ratio", "7:1"),
        ("resolution", "4096"),
        ("resolution", "x"),
        ("count", "0"),
        ("count", "17"),
        ("count", "9" * 5000),
        ("count", ""),
        ("steps", "0"),
        ("steps", "61"),
        ("guidance", "-1"),
        ("guidance", "nan"),
        ("guidance", "21"),
        ("seed", "-1"),
        ("seed", str(MAX_SEED + 1)),
        ("adapter_strength", "2.1"),
        ("adapter_strength", "inf"),
        ("strength", "0"),
        ("strength", "1.1"),
    ],
)
def test_bad_input_is_422_beside_the_field_and_the_form_stays_filled(owner_client, values, field, value):
    response = owner_client.post(URL, {**values, "seed": "35", field: value})
    assert response.status_code == 422
    assert set(response.context["form"].errors) == {field}
    page = response.content.decode()
    assert field == "seed" or 'value="35"' in page
    assert escape(response.context["form"].errors[field][0]) in page
    assert not Job.objects.exists()


def test_htmx_gets_the_form_alone_with_what_is_wrong(owner_client, values):
    response = owner_client.post(URL, {**values, "prompt": ""}, headers=HTMX)
    assert response.status_code == 422
    assert (response["HX-Retarget"], response["HX-Reswap"]) == ("#order", "outerHTML")
    page = response.content.decode()
    assert "<html" not in page
    assert "Write what the images should show" in page


def test_a_prompt_of_ten_thousand_characters_says_what_fits(owner_client, values):
    response = owner_client.post(URL, {**values, "prompt": "x" * 10_000})
    assert response.status_code == 422
    assert "at most 2000 characters; this one has 10000" in response.content.decode()


def test_blocked_words_are_422_with_the_word(owner_client, values):
    BlockedWord.objects.create(text="red cat")
    response = owner_client.post(URL, values)
    assert response.status_code == 422
    assert "This studio makes no images of “red cat”." in response.content.decode()
    assert not Generation.objects.exists()


def test_strangers_private_models_are_422(stranger_client, owner, values, base, adapter):
    private = publish_tiny_base(owner, name="own-base", visibility=Visibility.PRIVATE)
    refused = stranger_client.post(URL, {**values, "base": private.model.address})
    assert set(refused.context["form"].errors) == {"base"}
    refused = stranger_client.post(URL, {**values, "adapter": adapter.model.address})
    assert set(refused.context["form"].errors) == {"adapter"}
    assert not Generation.objects.exists()


def test_a_trained_model_for_another_base_is_named_and_refused(owner_client, owner, values, adapter):
    other = publish_tiny_base(owner, family="sd15", name="other-base")
    sent = {**values, "base": other.model.address, "adapter": adapter.model.address}
    response = owner_client.post(URL, sent)
    assert response.status_code == 422
    sentence = "“Tiny lora” was trained on “Tiny base”, not on “Other base”. Choose “Tiny base” as the base."
    assert sentence in response.content.decode()


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
    assert "Make 4 images<" in page
    owner_client.post(URL, values)
    assert Generation.objects.get().job.price_held == 0


def test_without_a_base_the_page_says_so(owner_client):
    page = owner_client.get(URL).content.decode()
    assert "There is no base model yet" in page
    assert "add_base" in page
    assert reverse("generation:seeds_create") in page
    assert owner_client.post(URL, {"prompt": "a cat", "count": "1"}).status_code == 422


@pytest.mark.parametrize("is_there", [True, False])
def test_a_missing_worker_is_said_where_one_orders_and_waits(owner_client, text_order, is_there, monkeypatch):
    for module in ("text_views", "results"):
        monkeypatch.setattr(f"generation.{module}.is_served", lambda queue: is_there)
    order = text_order(seeds=[1])
    for url in (URL, reverse("generation:generation_detail", args=[order.pk])):
        page = owner_client.get(url).content.decode()
        assert ("No worker for images is running" in page) is not is_there


def test_links_that_name_a_model_of_seeds_lead_there(owner_client, version):
    response = owner_client.get(URL, {"model": version.model.address, "count": "3"})
    assert response["Location"].startswith(reverse("generation:seeds_create") + "?model=")
    assert "count=3" in response["Location"]


def test_a_link_to_a_trained_model_chooses_its_base_and_begins_with_its_keyword(owner_client, owner, adapter):
    publish_tiny_base(owner, family="sd15", name="a-base")
    context = owner_client.get(URL, {"adapter": adapter.model.address}).context
    assert context["chosen_adapter"] == adapter
    assert context["chosen_base"].model.title == "Tiny base"
    assert context["form"]["prompt"].value() == "mimochi cat"


def test_a_link_fills_the_form(owner_client, base, adapter):
    query = {
        "base": base.model.address,
        "adapter": adapter.model.address,
        "prompt": "mimochi at sea",
        "seed": "7",
    }
    page = owner_client.get(URL, query).content.decode()
    assert "mimochi at sea</textarea>" in page
    assert f'value="{adapter.model.address}" checked' in page
    assert 'name="seed" value="7"' in page


def test_a_link_to_a_model_that_is_gone_says_so(owner_client, base):
    for query in ({"adapter": "nobody/nothing"}, {"base": "nobody/nothing"}):
        response = owner_client.get(URL, query)
        assert "gone or not yours" in response.content.decode()
        assert response.context["chosen_base"] == base
    assert "gone or not yours" not in owner_client.get(URL).content.decode()


@pytest.mark.parametrize("value", ["<script>alert(1)</script>", "\0", "9" * 3000])
def test_garbage_in_a_link_is_harmless(owner_client, base, value):
    names = (
        "base",
        "adapter",
        "prompt",
        "style",
        "ratio",
        "resolution",
        "count",
        "seed",
        "picture",
        "remix",
        "use",
    )
    response = owner_client.get(URL, dict.fromkeys(names, value))
    assert response.status_code == 200
    assert "<script>alert" not in response.content.decode()


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


@pytest.mark.parametrize(
    ("files", "field", "text"),
    [
        ({"source": SimpleUploadedFile("a.png", b"<svg/>")}, "source", "cannot be read"),
        ({"source": SimpleUploadedFile("a.png", upload().read()[:60])}, "source", "cannot be read"),
        ({"source": upload((8, 8))}, "source", "too small"),
        ({"source": upload((MAX_PIXELS // 1000 + 1, 1000), "1", 0)}, "source", "megapixels"),
        ({"source": upload(), "mask": upload(colour="black")}, "mask", "Nothing is marked"),
        ({"source": upload(), "mask": SimpleUploadedFile("m.png", b"x")}, "mask", "cannot be read"),
        ({"mask": upload(colour="white")}, "mask", "Choose the picture"),
    ],
)
def test_bad_pictures_are_422_with_the_reason(owner_client, values, files, field, text):
    for file in files.values():
        file.seek(0)
    response = owner_client.post(URL, {**values, **files})
    assert response.status_code == 422
    assert text in str(response.context["form"].errors[field])
    assert list_keys("starts") == []


def test_a_file_that_is_too_heavy_is_refused(owner_client, values, monkeypatch):
    monkeypatch.setattr("generation.text_forms.MAX_BYTES", 10)
    response = owner_client.post(URL, {**values, "source": upload()})
    assert "Make it smaller" in str(response.context["form"].errors["source"])


def test_hints_tell_price_keyword_and_what_is_not_read(owner_client, values, adapter):
    long = "red cat " * 20
    sent = {**values, "adapter": adapter.model.address, "prompt": long, "count": "3"}
    page = owner_client.post(HINTS, sent, headers=HTMX).content.decode()
    assert "Make 3 images, 15 credits" in page
    assert "“mimochi” is not in the prompt" in page
    assert "Tiny base does not read so far. It leaves out: “" in page
    assert page.count('hx-swap-oob="true"') == 3
    assert f'formaction="{HINTS}" hx-post="{HINTS}"' in page
    calm = owner_client.post(HINTS, {**sent, "prompt": "mimochi cat"}, headers=HTMX).content.decode()
    assert "notice" not in calm


def test_words_that_the_base_never_saw_are_marked_with_what_it_knows(owner_client, owner, values, tmp_path):
    folder = tmp_path / "base"
    folder.symlink_to(tiny_base_folder(), target_is_directory=True)
    wordy = tmp_path / "wordy"
    wordy.mkdir()
    for part in folder.iterdir():
        (wordy / part.name).symlink_to(part.resolve())
    write_words(wordy / "words.json", Words({"cat": 5, "scooter": 2}, {"skateboard": ("scooter",)}))
    base = publish_tiny_base(owner, wordy, name="wordy")
    sent = {"base": base.model.address, "prompt": "a cat on a skateboard", "count": "1"}
    page = owner_client.post(HINTS, sent, headers=HTMX).content.decode()
    assert "<mark>skateboard</mark>" in page
    assert "never saw “skateboard”" in page
    assert 'value="11:21:scooter"' in page
    page = owner_client.post(HINTS, {**sent, "instead": "11:21:scooter"}, headers=HTMX)
    assert page.context["form"]["prompt"].value() == "a cat on a scooter"
    assert page["HX-Retarget"] == "#order"


def test_switching_the_trained_model_switches_keyword_and_base(
    owner_client, owner, values, adapter, tmp_path
):
    other = publish_tiny_base(owner, family="sd15", name="other-base")
    mug = publish_tiny_lora(owner, other, tmp_path / "mug", name="mug", keyword="ketapo")
    sent = {**values, "adapter": mug.model.address, "prompt": "mimochi cat in the snow", "switch": "adapter"}
    context = owner_client.post(HINTS, sent, headers=HTMX).context
    assert context["form"]["prompt"].value() == "ketapo cat in the snow"
    assert context["chosen_base"] == other
    sent = {**values, "base": other.model.address, "adapter": adapter.model.address, "switch": "base"}
    context = owner_client.post(HINTS, {**sent, "prompt": "mimochi cat"}, headers=HTMX).context
    assert context["chosen_adapter"] is None
    assert context["form"]["prompt"].value() == "cat"


def test_without_javascript_a_switch_is_a_whole_page(owner_client, values, adapter):
    sent = {**values, "adapter": adapter.model.address, "switch": "adapter"}
    page = owner_client.post(HINTS, sent).content.decode()
    assert "<html" in page
    assert "mimochi cat a red cat</textarea>" in page
    assert not Generation.objects.exists()


@pytest.mark.parametrize("value", ["", "\0", "x" * 9000, "1:2", "99999999:1:x", "-1:2:x"])
def test_garbage_in_hints_is_harmless(owner_client, values, value):
    names = ("base", "adapter", "prompt", "style", "count", "instead", "switch", "picture", "kept")
    assert owner_client.post(HINTS, dict.fromkeys(names, value)).status_code == 200


def test_styles_are_those_of_the_base(owner_client, owner, values):
    other = publish_tiny_base(owner, family="sd15", name="other-base")
    PromptStyle.objects.create(slug="every", title="Every", template="{prompt} x", position=99)
    PromptStyle.objects.filter(slug="sticker").update(is_shown=False)
    offered = owner_client.get(URL, {"base": values["base"]}).context["form"]["style"].field.choices
    assert {"emoji", "every"} <= {slug for slug, _title in offered}
    assert "sticker" not in dict(offered)
    offered = owner_client.get(URL, {"base": other.model.address}).context["form"]["style"].field.choices
    assert [slug for slug, _title in offered] == ["", "every"]


def test_the_keyword_may_be_missing_and_the_result_can_be_had(owner_client, values, adapter):
    response = owner_client.post(URL, {**values, "adapter": adapter.model.address})
    assert response.status_code == 302
    assert "“mimochi” is not in the prompt" in owner_client.get(response["Location"]).content.decode()


def test_remix_of_an_order_whose_base_is_gone(owner_client, text_order, base):
    order = text_order(seeds=[1])
    run_pending("generate")
    delete_model(model=base.model)
    response = owner_client.get(reverse("generation:generation_detail", args=[order.pk]))
    assert response.status_code == 200
    assert response.context["remix_url"] == ""
    picture = order.pictures.get()
    page = owner_client.get(reverse("generation:picture_detail", args=[picture.pk])).content.decode()
    assert "no longer here" in page


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
