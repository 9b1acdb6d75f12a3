"""The page on which people choose what the studio writes to them."""

import pytest
from django.test import Client
from django.urls import reverse

URL = reverse("mail_settings")


def test_the_switch_is_on_at_first_and_can_be_moved(owner, owner_client):
    assert b"checked" in owner_client.get(URL).content
    assert owner_client.post(URL, {}).status_code == 302
    owner.refresh_from_db()
    assert not owner.mail_when_ended
    assert b"checked" not in owner_client.get(URL).content
    owner_client.post(URL, {"mail_when_ended": "on"})
    owner.refresh_from_db()
    assert owner.mail_when_ended


def test_nothing_else_can_be_changed_there(owner, stranger, owner_client):
    owner_client.post(URL, {"is_staff": "on", "email": "other@example.org", "id": str(stranger.pk)})
    owner.refresh_from_db()
    stranger.refresh_from_db()
    assert not owner.is_staff
    assert owner.email == "owner@example.org"
    assert stranger.mail_when_ended


@pytest.mark.django_db
def test_it_wants_a_sign_in():
    assert Client().get(URL).status_code == 302
