"""Settings that pictures and texts bring along come back into the form of Text to Image."""

import io

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from engines.provenance import Provenance, write_jpeg
from generation.recall import values_of_text
from jobs.testing import run_pending
from tests.catalog.pages import asks_to_sign_in, wrong_methods_are_refused

URL = reverse("generation:generation_settings")
# As a common web UI writes it.
TEXT = (
    "a castle on a hill, (bright:1.2)\nat dusk\nNegative prompt: blurry, text\n"
    "Steps: 30, Sampler: DPM++ 2M, CFG scale: 6.5, Seed: 77, Size: 768x512, Model: dream, "
    'Lora hashes: "a: 1, b: 2"'
)


def png(chunks: dict[str, str]) -> bytes:
    info, buffer = PngInfo(), io.BytesIO()
    for name, text in chunks.items():
        info.add_text(name, text)
    Image.new("RGB", (8, 8), "teal").save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def sent(content: bytes, name: str = "a.png") -> dict[str, object]:
    return {"settings_from": SimpleUploadedFile(name, content)}


def values(response) -> dict[str, object]:
    form = response.context["form"]
    return {name: form[name].value() for name in form.fields}


def test_a_picture_made_here_brings_back_everything(owner_client, owner, text_order, base, adapter):
    asked = {"adapter_strength": 0.5, "guidance": 2.5, "negative_prompt": "blue", "width": 48}
    text_order(adapter=adapter, seeds=[7], **asked)
    run_pending("generate")
    picture = owner.pictures.get()
    with default_storage.open(picture.file) as stored:
        response = owner_client.post(URL, {"prompt": "mine", "count": "4", **sent(stored.read())})
    assert response.status_code == 200
    expected = {
        "prompt": "a red cat", "negative_prompt": "blue", "base": base.model.address, "count": 1,
        "adapter": adapter.model.address, "adapter_strength": 0.5, "steps": 3, "guidance": 2.5, "seed": 7,
        "ratio": "3:2",
    }  # fmt: skip
    assert values(response).items() >= expected.items()


def test_what_other_programs_write_is_read(owner_client, owner, base):
    expected = {
        "prompt": "a castle on a hill, (bright:1.2)\nat dusk", "negative_prompt": "blurry, text", "steps": 30,
        "guidance": 6.5, "seed": 77, "ratio": "3:2", "count": 1,
    }  # fmt: skip
    assert values_of_text(owner, TEXT).items() >= expected.items()
    exif = Image.Exif()
    comment = b"UNICODE\0" + TEXT.encode("utf-16-be")
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    jpeg = io.BytesIO()
    Image.new("RGB", (8, 8)).save(jpeg, "JPEG", exif=exif)
    for content in (png({"parameters": TEXT}), jpeg.getvalue()):
        assert values(owner_client.post(URL, sent(content))).items() >= expected.items()


def test_our_own_jpeg_is_read_too(owner_client, base):
    buffer = io.BytesIO()
    write_jpeg(Image.new("RGB", (8, 8)), buffer, Provenance(prompt="a fox", settings={"Seed": 3}))
    told = values(owner_client.post(URL, sent(buffer.getvalue(), "a.jpg")))
    assert (told["prompt"], told["seed"]) == ("a fox", 3)


def test_a_text_in_the_prompt_is_noticed_and_taken_over(owner_client, base):
    hints = reverse("generation:generation_hints")
    page = owner_client.post(hints, {"prompt": TEXT}, headers={"HX-Request": "true"}).content.decode()
    assert "tells more than a prompt" in page
    told = values(owner_client.post(URL, {"prompt": TEXT, "count": "4"}))
    assert (told["steps"], told["seed"], told["count"]) == (30, 77, 1)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (png({}), "does not say how it was made"),
        (b"not a picture", "cannot be read"),
        (png({"parameters": "x" * 10})[:40], "cannot be read"),
    ],
)
def test_a_picture_that_says_nothing_leaves_the_form_as_it_stands(owner_client, base, content, sentence):
    response = owner_client.post(URL, {"prompt": "mine", "steps": "9", **sent(content)})
    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert (values(response)["prompt"], values(response)["steps"]) == ("mine", "9")


@pytest.mark.parametrize(
    "text",
    ["Steps: x, Seed: 1e999, Size: 0x5", "Steps: nan, CFG scale: inf", "<b>\0\nSteps: , Seed:", "Steps:"],
)
def test_nonsense_is_no_error(owner_client, owner, base, text):
    assert owner_client.post(URL, {"prompt": text}).status_code == 200
    assert owner_client.post(URL, sent(png({"parameters": text}))).status_code == 200


def test_models_of_others_are_not_told(owner_client, stranger_client, text_order, adapter, owner):
    text_order(adapter=adapter, seeds=[7])
    run_pending("generate")
    with default_storage.open(owner.pictures.get().file) as stored:
        told = values(stranger_client.post(URL, sent(stored.read())))
    assert not told["adapter"]


def test_what_was_made_without_a_trained_model_takes_the_chosen_one_away(owner_client, adapter):
    kept = {"adapter": adapter.model.address, "adapter_strength": "0.4"}
    told = values(owner_client.post(URL, {**kept, **sent(png({"parameters": TEXT}))}))
    assert (told["adapter"], told["adapter_strength"]) == ("", 1)


def test_access(client, owner_client):
    assert asks_to_sign_in(client.post(URL))
    assert wrong_methods_are_refused(owner_client, URL, {"post"})
