"""A picture's file in three formats."""

import hashlib
import io
from dataclasses import replace

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.urls import reverse
from PIL import Image

from engines.provenance import read
from generation.provenance import from_json
from tests.catalog.pages import asks_to_sign_in, wrong_methods_are_refused

FORMATS = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}


def url_of(picture, ending):
    return reverse("generation:picture_image", args=[picture.pk, ending])


@pytest.mark.parametrize("ending", FORMATS)
def test_owner_gets_the_picture_with_its_provenance(owner_client, picture, ending):
    response = owner_client.get(url_of(picture, ending))
    content = response.getvalue()
    assert response["Content-Type"] == FORMATS[ending]
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "sandbox"
    assert response["Content-Disposition"].startswith("inline")
    assert "private" in response["Cache-Control"]
    told = read(io.BytesIO(content))
    assert told.signature
    unsigned = replace(told, pixels_sha256="", key="", signature="")
    assert unsigned == replace(from_json(picture.provenance), pixels_sha256="", key="", signature="")
    with Image.open(io.BytesIO(content)) as image:
        assert image.size == (16, 16)


def test_png_is_the_file_as_it_was_made(owner_client, picture):
    content = owner_client.get(url_of(picture, "png")).getvalue()
    assert hashlib.sha256(content).hexdigest() == picture.sha256


@pytest.mark.parametrize("ending", ["jpg", "webp"])
def test_other_formats_show_the_same_picture(owner_client, picture, ending):
    arrays = []
    for one in ("png", ending):
        with Image.open(io.BytesIO(owner_client.get(url_of(picture, one)).getvalue())) as image:
            arrays.append(np.asarray(image.convert("RGB")).astype(int))
    assert np.abs(arrays[0] - arrays[1]).mean() < 24


@pytest.mark.parametrize("ending", FORMATS)
def test_download_is_named_after_model_and_seed(owner_client, picture, ending):
    response = owner_client.get(url_of(picture, ending), {"download": "1"})
    disposition = response["Content-Disposition"]
    response.close()
    assert disposition.startswith("attachment")
    assert f"faces-seed-5-{picture.pk.hex[:6]}.{ending}" in disposition


@pytest.mark.parametrize("ending", FORMATS)
def test_lost_file_is_404(owner_client, picture, ending):
    default_storage.delete(picture.file)
    assert owner_client.get(url_of(picture, ending)).status_code == 404


@pytest.mark.parametrize("ending", ["gif", "svg", "html", "png/"])
def test_other_endings_are_404(owner_client, picture, ending):
    assert owner_client.get(f"/gallery/{picture.pk}/image.{ending}").status_code == 404


@pytest.mark.parametrize("ending", FORMATS)
def test_stranger_gets_404(stranger_client, picture, ending):
    assert stranger_client.get(url_of(picture, ending)).status_code == 404


def test_anonymous_is_asked_to_sign_in(client, picture):
    assert asks_to_sign_in(client.get(url_of(picture, "png")))


def test_wrong_methods(owner_client, picture):
    assert wrong_methods_are_refused(owner_client, url_of(picture, "png"), {"get"})
