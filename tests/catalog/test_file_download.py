"""Downloading a model's files."""

import hashlib

import pytest
from django.urls import reverse

from catalog.services import add_version
from tests.catalog.folders import make_folder
from tests.catalog.pages import wrong_methods_are_refused


def url_of(version, path="g_ema.safetensors"):
    return reverse("catalog:file_download", args=[version.model.owner.handle, version.model.name, path])


def test_owner_gets_the_weights_as_a_download(owner_client, version):
    response = owner_client.get(url_of(version))
    assert hashlib.sha256(response.getvalue()).hexdigest() == version.weights_sha256
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"].startswith("attachment")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "sandbox"
    assert response["Cache-Control"] == "private, no-store"


def test_grid_is_shown_inline(owner_client, version):
    response = owner_client.get(url_of(version, "grid.png"))
    assert response["Content-Type"] == "image/png"
    assert response["Content-Disposition"].startswith("inline")
    response.close()


def test_named_version_may_be_kept_by_the_browser(owner_client, version):
    response = owner_client.get(url_of(version, "grid.png"), {"v": version.sha256})
    assert "immutable" in response["Cache-Control"]
    response.close()


def test_named_version_is_served_after_a_newer_one(owner_client, version, tmp_path):
    newer = add_version(
        model=version.model, folder=make_folder(tmp_path / "n", seed=4), licence=version.licence
    )
    for one in (version, newer):
        content = owner_client.get(url_of(version), {"v": one.sha256}).getvalue()
        assert hashlib.sha256(content).hexdigest() == one.weights_sha256
    latest = owner_client.get(url_of(version)).getvalue()
    assert hashlib.sha256(latest).hexdigest() == newer.weights_sha256


@pytest.mark.parametrize("query", [{"v": "0" * 64}, {"v": "\0"}, {"v": "'"}])
def test_unknown_version_is_404(owner_client, version, query):
    assert owner_client.get(url_of(version), query).status_code == 404


@pytest.mark.parametrize("path", ["other.txt", "../model.json", "/etc/passwd", "a/../../x"])
def test_unknown_path_is_404(owner_client, version, path):
    base = url_of(version, "model.json").removesuffix("model.json")
    assert owner_client.get(base + path).status_code == 404


def test_stranger_and_anonymous_get_404_for_a_private_model(stranger_client, client, version):
    for browser in (stranger_client, client):
        assert browser.get(url_of(version)).status_code == 404
        assert browser.get(url_of(version), {"v": version.sha256}).status_code == 404


def test_anonymous_gets_the_files_of_a_public_model(client, public_version):
    response = client.get(url_of(public_version))
    assert response.status_code == 200
    response.close()


def test_wrong_methods(owner_client, version):
    assert wrong_methods_are_refused(owner_client, url_of(version), {"get"})
