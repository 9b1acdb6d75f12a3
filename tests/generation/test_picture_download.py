"""Downloading chosen pictures as a ZIP."""

import hashlib
import io
import uuid
import zipfile

import pytest
from django.core.files.storage import default_storage
from django.urls import reverse

from tests.catalog.pages import asks_to_sign_in, wrong_methods_are_refused

URL = reverse("generation:picture_download")


def files_in(response):
    with zipfile.ZipFile(io.BytesIO(response.getvalue())) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_owner_gets_the_chosen_ones(owner_client, made):
    pictures = made(seeds=range(5))
    response = owner_client.post(URL, {"pictures": [picture.pk for picture in pictures[:3]]})
    assert response["Content-Type"] == "application/zip"
    assert response["Content-Disposition"].startswith("attachment")
    found = {hashlib.sha256(content).hexdigest() for content in files_in(response).values()}
    assert found == {picture.sha256 for picture in pictures[:3]}


def test_pictures_of_the_same_seed_keep_names_of_their_own(owner_client, made):
    pictures = made(seeds=[7]) + made(seeds=[7])
    response = owner_client.post(URL, {"pictures": [picture.pk for picture in pictures]})
    assert len(files_in(response)) == 2


def test_a_lost_file_is_left_out(owner_client, made):
    first, second = made(seeds=[1, 2])
    default_storage.delete(first.file)
    assert len(files_in(owner_client.post(URL, {"pictures": [first.pk, second.pk]}))) == 1


def test_a_strangers_picture_among_them_makes_it_404(stranger_client, made, order, stranger):
    foreign = made(seeds=[1])[0]
    own = made(seeds=[2], by=stranger)[0]
    assert stranger_client.post(URL, {"pictures": [own.pk]}).status_code == 200
    assert stranger_client.post(URL, {"pictures": [own.pk, foreign.pk]}).status_code == 404


@pytest.mark.parametrize("value", ["x", "", "\0", str(uuid.UUID(int=35))])
def test_garbage_is_404(owner_client, picture, value):
    assert owner_client.post(URL, {"pictures": [picture.pk, value]}).status_code == 404


def test_nothing_chosen_leads_back_with_a_word(owner_client):
    response = owner_client.post(URL, follow=True)
    assert "Choose 1 to 500 images" in response.content.decode()


def test_more_than_the_limit_leads_back_with_a_word(owner_client, made, monkeypatch):
    monkeypatch.setattr("generation.gallery_views.MAX_ZIP_PICTURES", 2)
    pictures = made(seeds=range(3))
    response = owner_client.post(URL, {"pictures": [picture.pk for picture in pictures]}, follow=True)
    assert "Choose 1 to 2 images" in response.content.decode()


def test_anonymous_is_asked_to_sign_in(client, picture):
    assert asks_to_sign_in(client.post(URL, {"pictures": [picture.pk]}))


def test_wrong_methods(owner_client):
    assert wrong_methods_are_refused(owner_client, URL, {"post"})
