"""Taking back that a model shall be public."""

import pytest
from django.urls import reverse

from catalog.models import Licence, PublicationRequest
from catalog.services.reviews import ask_for_publication
from tests.catalog.pages import asks_to_sign_in, wrong_methods_are_refused


@pytest.fixture
def asked(version):
    return ask_for_publication(model=version.model, licence=Licence.objects.get(slug="mit"))


@pytest.fixture
def url(asked):
    return reverse("catalog:request_take_back", args=[asked.model.owner.handle, asked.model.name])


def test_the_owner_takes_it_back_once(owner_client, asked, url):
    assert owner_client.post(url).status_code == 302
    asked.refresh_from_db()
    assert asked.state == PublicationRequest.State.TAKEN_BACK
    assert "answered in the meantime" in owner_client.post(url, follow=True).text


def test_stranger_gets_404(stranger_client, asked, url):
    assert stranger_client.post(url).status_code == 404
    asked.refresh_from_db()
    assert asked.state == PublicationRequest.State.WAITING


def test_anonymous_is_asked_to_sign_in(client, url):
    assert asks_to_sign_in(client.post(url))


def test_wrong_methods(owner_client, url):
    assert wrong_methods_are_refused(owner_client, url, {"post"})
