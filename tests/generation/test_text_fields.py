"""/generate/: what is typed and chosen, what is said about it, and what is refused."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils.html import escape

from catalog.models import Visibility
from engines.diffusion.words import Words, write_words
from generation.models import BlockedWord, Generation, PromptStyle
from generation.seeds import MAX_SEED
from jobs.files import list_keys
from jobs.models import Job
from tests.catalog.bases import publish_tiny_base, publish_tiny_lora, tiny_base_folder
from tests.generation.sending import HINTS, HTMX, URL, upload
from tests.training import crafted
from tests.wallets import give_credits


@pytest.fixture
def values(base, owner):
    give_credits(owner, 1000)
    return {"base": base.model.address, "prompt": "a red cat", "count": "2", "steps": "2"}


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
    page = response.content.decode()
    assert "at most 2000 characters; this one has 10000" in page
    assert "maxlength" not in page.partition('id="order"')[2].partition("</form>")[0]


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


def test_without_a_base_the_page_says_so(owner_client):
    page = owner_client.get(URL).content.decode()
    assert "There is no base model yet" in page
    assert "add_base" in page
    assert reverse("generation:seeds_create") in page
    assert owner_client.post(URL, {"prompt": "a cat", "count": "1"}).status_code == 422


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


@pytest.mark.parametrize(
    ("files", "field", "text"),
    [
        ({"source": SimpleUploadedFile("a.png", b"<svg/>")}, "source", "not a picture that can be read"),
        ({"source": SimpleUploadedFile("a.png", upload().read()[:60])}, "source", "damaged"),
        (
            {"source": SimpleUploadedFile("a", upload(file_format="HEIF").read()[:-90])},
            "source",
            "damaged",
        ),
        ({"source": upload((8, 8))}, "source", "too small"),
        (
            {"source": SimpleUploadedFile("a.png", crafted.png_of_claimed_size(9000, 9000))},
            "source",
            "more than 64 megapixels",
        ),
        ({"source": upload(), "mask": upload(colour="black")}, "mask", "Nothing is marked"),
        ({"source": upload(), "mask": SimpleUploadedFile("m.png", b"x")}, "mask", "not a picture"),
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


def test_a_file_that_is_too_heavy_is_refused(owner_client, values, settings):
    settings.TRAINING_LIMITS = {"max_picture_bytes": 10}
    response = owner_client.post(URL, {**values, "source": upload()})
    assert "Make the picture smaller" in str(response.context["form"].errors["source"])


def test_hints_tell_price_keyword_and_what_is_not_read(owner_client, values, adapter):
    long = "red cat " * 20
    sent = {**values, "adapter": adapter.model.address, "prompt": long, "count": "3"}
    page = owner_client.post(HINTS, sent, headers=HTMX).content.decode()
    assert "Make 3 images, 15 credits" in page
    assert "“mimochi” is not in the prompt" in page
    assert "Tiny base does not read so far. It leaves out: “" in page
    assert page.count('hx-swap-oob="true"') == 4
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
    assert "a red mimochi cat</textarea>" in page
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
