"""Django admin as the studio shows it."""

from django.test import Client
from django.urls import reverse


def test_its_pages_name_their_icon(staff, client: Client):
    client.force_login(staff)
    for page in ("admin:index", "admin:catalog_licence_add"):
        assert client.get(reverse(page)).text.count('rel="icon"') == 1
