"""Withdrawing one's own model."""

import pytest
from django.urls import reverse

from tests.catalog.pages import asks_to_sign_in, wrong_methods_are_refused


@pytest.fixture
def url(public_version):
    return reverse("catalog:model_withdraw", args=[public_version.model.owner.handle, "cats"])


def test_its_page_says_that_it_is_gone(owner_client, stranger_client, client, public_version, url):
    model = public_version.model
    shown = reverse("catalog:model_detail", args=[model.owner.handle, "cats"])
    file = reverse("catalog:file_download", args=[model.owner.handle, "cats", "g_ema.safetensors"])
    assert owner_client.get(url).status_code == 200
    assert owner_client.post(url, {"reason": "It was <b>wrong</b>."}).status_code == 302
    for reader in (stranger_client, client):
        gone = reader.get(shown)
        assert gone.status_code == 410
        assert "It was &lt;b&gt;wrong&lt;/b&gt;." in gone.text
        assert reader.get(file).status_code == 410
    assert owner_client.get(shown).status_code == 200
    assert "Cats" not in stranger_client.get(reverse("catalog:model_browse")).text


@pytest.mark.parametrize("reason", ["", " \x00 ", "x" * 501])
def test_a_reason_is_needed(owner_client, public_version, url, reason):
    assert owner_client.post(url, {"reason": reason}).status_code == 422
    public_version.model.refresh_from_db()
    assert public_version.model.withdrawn_at is None


def test_a_second_time_is_422(owner_client, url):
    owner_client.post(url, {"reason": "Once."})
    assert owner_client.post(url, {"reason": "Twice."}).status_code == 422


def test_stranger_gets_404(stranger_client, public_version, url):
    assert stranger_client.get(url).status_code == 404
    assert stranger_client.post(url, {"reason": "Mine now."}).status_code == 404
    public_version.model.refresh_from_db()
    assert public_version.model.withdrawn_at is None


def test_anonymous_is_asked_to_sign_in(client, url):
    assert asks_to_sign_in(client.get(url))
    assert asks_to_sign_in(client.post(url))


def test_wrong_methods(owner_client, url):
    assert wrong_methods_are_refused(owner_client, url, {"get", "post"})
