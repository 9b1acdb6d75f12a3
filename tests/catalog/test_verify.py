"""/verify/: four findings, nothing beyond the file, limits."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from django.core.cache import cache
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from catalog import verify_views
from catalog.files import weight_key
from catalog.signing import signer, write_signed
from engines.provenance import Provenance, read, write
from engines.signing import Signer

URL = "/verify/"


@pytest.fixture(autouse=True)
def _uncounted(db):
    cache.clear()


@pytest.fixture
def picture():
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))


def record_of(version, **values) -> Provenance:
    return Provenance(
        model=f"{version.model.address} v{version.number}",
        model_sha256=version.weights_sha256,
        version_sha256=version.sha256,
        licence="CC-BY-4.0",
        run="run-number-1",
        creator="Ada",
        prompt="a secret prompt",
        **values,
    )


def ask(client: Client, content: bytes, name: str = "picture.png"):
    return client.post(URL, {"files": SimpleUploadedFile(name, content)})


def signed(picture, record, file_format="png") -> bytes:
    file = io.BytesIO()
    write_signed(picture, file, record, file_format=file_format)
    return file.getvalue()


def unsigned(picture, record) -> bytes:
    file = io.BytesIO()
    write(picture, file, record, file_format="png")
    return file.getvalue()


@pytest.mark.parametrize("file_format", ["png", "jpeg", "webp"])
def test_made_here_and_unchanged_for_whoever_asks(client, public_version, picture, file_format):
    response = ask(client, signed(picture, record_of(public_version), file_format))
    page = response.content.decode()
    assert response.status_code == 200
    assert response.context["found"].finding == "unchanged"
    for told in (
        "Made here, unchanged",
        public_version.model.title,
        public_version.sha256[:24],
        "run-number-1",
        "CC-BY-4.0",
    ):
        assert told in page


def test_changed_since(client, public_version, picture):
    record = read(io.BytesIO(signed(picture, record_of(public_version))))
    page = ask(client, unsigned(picture.rotate(90), record)).content.decode()
    assert "Made here, changed since" in page
    assert "run-number-1" in page


def test_names_a_model_of_ours_without_a_signature(client, public_version, picture):
    page = ask(client, unsigned(picture, record_of(public_version))).content.decode()
    assert "not signed by this studio" in page
    assert public_version.model.title in page
    genuine = read(io.BytesIO(signed(picture, record_of(public_version))))
    forged = replace(genuine, creator="Somebody else")
    assert "not signed by this studio" in ask(client, unsigned(picture, forged)).content.decode()


def test_nothing_found(client, public_version, picture):
    plain = io.BytesIO()
    picture.save(plain, format="PNG")
    assert "Nothing found" in ask(client, plain.getvalue()).content.decode()
    foreign = Provenance(model="else/where v1", model_sha256="f" * 64)
    assert "else/where" not in ask(client, unsigned(picture, foreign)).content.decode()


def test_a_signature_of_another_studio_is_called_that(client, public_version, picture):
    file = io.BytesIO()
    write(picture, file, Provenance(model="a/b v1"), file_format="png", sign=Signer(b"other").sign)
    assert "not one of this studio" in ask(client, file.getvalue()).content.decode()


def test_private_models_are_told_as_the_file_tells_them_and_no_more(client, owner_client, version, picture):
    """The signed note is shown; whether such a model is here is not."""
    content = signed(picture, record_of(version))
    stranger = ask(client, content)
    assert stranger.context["found"].finding == "unchanged"
    assert stranger.context["found"].version is None
    assert version.model.title not in stranger.content.decode()
    assert version.model.address in stranger.content.decode()
    assert ask(owner_client, content).context["found"].version == version
    # Without a signature, naming a private model is naming nothing.
    assert ask(client, unsigned(picture, record_of(version))).context["found"].finding == "nothing"
    assert ask(owner_client, unsigned(picture, record_of(version))).context["found"].finding == "unsigned"


def test_prompts_are_not_shown(client, public_version, picture):
    assert "secret prompt" not in ask(client, signed(picture, record_of(public_version))).content.decode()


def test_weights_and_bundles_are_known_by_their_content(client, public_version, version):
    file = public_version.files.get(path="g_ema.safetensors")
    with default_storage.open(weight_key(file.sha256)) as stored:
        found = ask(client, stored.read(), "g_ema.safetensors").context["found"]
    assert (found.finding, found.version, found.is_model) == ("unchanged", public_version, True)
    private = version.files.get(path="g_ema.safetensors")
    with default_storage.open(weight_key(private.sha256)) as stored:
        assert ask(client, stored.read(), "x.safetensors").context["found"].finding == "nothing"


def test_texts_in_a_file_are_texts(client, public_version, picture):
    evil = "<script>alert(1)</script>"
    page = ask(client, signed(picture, replace(record_of(public_version), creator=evil))).content.decode()
    assert evil not in page
    assert "&lt;script&gt;" in page


def test_what_cannot_be_read_is_refused(client, db, picture):
    content = io.BytesIO()
    picture.save(content, format="PNG")
    assert ask(client, content.getvalue()[:200]).status_code == 422
    assert client.post(URL, {}).status_code == 422
    assert ask(client, b"anything at all", "notes.txt").context["found"].finding == "nothing"
    broken = io.BytesIO()
    with zipfile.ZipFile(broken, "w") as archive:
        archive.writestr("bundle.json", json.dumps({"format": 1}))
    assert ask(client, broken.getvalue(), "b.zip").context["found"].finding == "nothing"


def test_too_many_pixels_too_many_bytes_too_often(client, db, picture, settings, monkeypatch):
    settings.TRAINING_LIMITS = {"max_pixels": 100}
    content = io.BytesIO()
    picture.save(content, format="PNG")
    assert ask(client, content.getvalue()).status_code == 422
    monkeypatch.setattr(verify_views, "MAX_BYTES", 100)
    assert ask(client, content.getvalue()).status_code == 413
    for _ in range(20):
        last = client.post(URL, {})
    assert last.status_code == 429
    assert last["Retry-After"]


def test_the_public_key_is_there_for_everybody(client, db, settings):
    settings.PROVENANCE_OLD_KEYS = [Signer(b"before").public_key]
    text = client.get("/verify/keys.txt").content.decode()
    assert [line.split()[2] for line in text.splitlines()] == [
        signer().public_key,
        Signer(b"before").public_key,
    ]


def test_files_signed_with_a_former_secret_are_still_known(client, public_version, picture, settings):
    content = signed(picture, record_of(public_version))
    settings.PROVENANCE_OLD_KEYS = [signer().public_key]
    settings.PROVENANCE_SECRET = "a new secret"
    assert ask(client, content).context["found"].finding == "unchanged"
    settings.PROVENANCE_OLD_KEYS = []
    assert ask(client, content).context["found"].finding == "unsigned"


def test_a_forged_request_is_refused(public_version):
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(URL, {}).status_code == 403
