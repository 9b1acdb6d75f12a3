"""The catalog in Django admin: a folder of the server becomes a base, after a look at it."""

import shutil

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from catalog.models import CatalogModel
from catalog.selectors import find_base
from tests.catalog.bases import tiny_base_folder

PAGE = "admin:catalog_catalogmodel_add_base"
FIELDS = {"folder": "sd/tiny", "title": "Tiny", "name": "tiny", "licence": "apache-2.0"}


@pytest.fixture
def bases_dir(licences, settings, tmp_path):
    settings.BASES_DIR = tmp_path / "bases"
    shutil.copytree(tiny_base_folder(), settings.BASES_DIR / "sd" / "tiny")
    return settings.BASES_DIR


@pytest.fixture
def staff_client(staff):
    client = Client()
    client.force_login(staff)
    return client


def test_a_base_is_looked_at_then_added(bases_dir, staff, staff_client, stranger):
    assert "sd/tiny" in staff_client.get(reverse(PAGE)).text
    looked = staff_client.post(reverse(PAGE), FIELDS)
    assert looked.status_code == 200
    for told in ("Apache License 2.0", "for making pictures", "Add this base"):
        assert told in looked.text
    assert not CatalogModel.objects.exists()
    added = staff_client.post(reverse(PAGE), {**FIELDS, "confirmed": "1"}, follow=True)
    assert "can be used now" in added.text
    assert find_base(staff, f"{staff.handle}/tiny")
    assert find_base(stranger, f"{staff.handle}/tiny") is None
    assert "apache-2.0" in LogEntry.objects.get().change_message


def test_a_base_for_everybody_belongs_to_the_studio(bases_dir, staff_client, stranger):
    staff_client.post(reverse(PAGE), {**FIELDS, "public": "on", "confirmed": "1"})
    assert find_base(stranger, "atelier/tiny")


@pytest.mark.parametrize("folder", ["../elsewhere", "/etc", ""])
def test_only_folders_below_the_directory_can_be_chosen(bases_dir, staff_client, folder):
    answer = staff_client.post(reverse(PAGE), {**FIELDS, "folder": folder, "confirmed": "1"})
    assert answer.status_code == 422
    assert not CatalogModel.objects.exists()


def test_what_is_missing_is_named(bases_dir, staff_client):
    shutil.rmtree(bases_dir / "sd" / "tiny" / "vae")
    answer = staff_client.post(reverse(PAGE), FIELDS)
    assert answer.status_code == 422
    assert "vae/ is missing" in answer.text


def test_without_folders_the_page_says_where_to_put_one(bases_dir, staff_client):
    shutil.rmtree(bases_dir)
    assert str(bases_dir) in staff_client.get(reverse(PAGE)).text


def test_adding_needs_its_permission(bases_dir, make_user):
    reader = make_user("reader@example.org", is_staff=True)
    reader.user_permissions.set(Permission.objects.filter(codename="view_catalogmodel"))
    client = Client()
    client.force_login(reader)
    assert client.get(reverse("admin:catalog_catalogmodel_changelist")).status_code == 200
    assert client.post(reverse(PAGE), {**FIELDS, "confirmed": "1"}).status_code == 403
    assert not CatalogModel.objects.exists()
