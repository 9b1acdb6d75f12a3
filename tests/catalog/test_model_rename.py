"""Renaming an own model."""

import pytest
from django.urls import reverse

from accounts.profiles import change_handle
from catalog.models import FormerAddress
from catalog.services import rename_model
from tests.catalog.pages import asks_to_sign_in, wrong_methods_are_refused

PAGES = ("model_detail", "model_report", "model_lineage")


@pytest.fixture
def url(version):
    return reverse("catalog:model_rename", args=[version.model.owner.handle, version.model.name])


def test_owner_renames(owner_client, version, url):
    assert owner_client.get(url).status_code == 200
    response = owner_client.post(url, {"title": " New  name ", "name": "New-name"})
    version.model.refresh_from_db()
    assert (version.model.title, version.model.name) == ("New name", "new-name")
    assert response["Location"].endswith("/new-name/")


def test_taken_name_is_422_with_suggestions_and_the_form_filled(owner_client, publish, owner, url):
    publish(owner, "cats", seed=1)
    response = owner_client.post(url, {"title": "My title", "name": "cats"})
    page = response.content.decode()
    assert response.status_code == 422
    assert "cats-2" in page
    assert 'value="My title"' in page


def test_the_old_address_leads_to_the_new_one(owner_client, client, public_version):
    model = public_version.model
    former = [reverse(f"catalog:{page}", args=[model.owner.handle, "cats"]) for page in PAGES]
    owner_client.post(
        reverse("catalog:model_rename", args=[model.owner.handle, "cats"]),
        {"title": "Cats", "name": "kittens"},
    )
    for page, address in zip(PAGES, former, strict=True):
        response = client.get(f"{address}?v=1")
        assert response.status_code == 302
        assert (
            response["Location"] == reverse(f"catalog:{page}", args=[model.owner.handle, "kittens"]) + "?v=1"
        )
    assert client.post(former[1]).status_code == 404


def test_the_former_public_name_of_its_owner_leads_to_it(client, owner, public_version):
    model = public_version.model
    former = [reverse(f"catalog:{page}", args=[owner.handle, "cats"]) for page in PAGES]
    change_handle(user=owner, handle="ada")
    for page, address in zip(PAGES, former, strict=True):
        assert client.get(address)["Location"] == reverse(f"catalog:{page}", args=["ada", "cats"])
    rename_model(model=model, name="kittens", title="Cats")
    assert client.get(former[0])["Location"] == reverse(f"catalog:{PAGES[0]}", args=["ada", "kittens"])


def test_a_former_public_name_tells_nobody_of_private_models(stranger_client, owner_client, owner, version):
    former = reverse("catalog:model_detail", args=[owner.handle, version.model.name])
    change_handle(user=owner, handle="ada")
    assert owner_client.get(former).status_code == 302
    assert stranger_client.get(former).status_code == 404


def test_a_former_address_of_a_private_model_tells_nobody(owner_client, stranger_client, version, url):
    owner_client.post(url, {"title": "Faces", "name": "portraits"})
    former = reverse("catalog:model_detail", args=[version.model.owner.handle, "faces"])
    assert owner_client.get(former).status_code == 302
    assert stranger_client.get(former).status_code == 404


def test_a_taken_address_wins(owner_client, publish, owner, version, url):
    owner_client.post(url, {"title": "Faces", "name": "portraits"})
    publish(owner, "faces", seed=3, title="Other faces")
    former = reverse("catalog:model_detail", args=[owner.handle, "faces"])
    assert "Other faces" in owner_client.get(former).text


def test_renaming_back_and_forth_leaves_one_way(owner, version):
    for name in ("a", "b", "a", "c"):
        rename_model(model=version.model, name=name, title="Faces")
    assert {former.name for former in FormerAddress.objects.filter(owner=owner)} == {"faces", "a", "b"}


@pytest.mark.parametrize(
    "values",
    [
        {"title": "", "name": "x"},
        {"title": "X", "name": ""},
        {"title": "X", "name": "a b"},
        {"title": "X", "name": "../x"},
        {"title": "X", "name": "x" * 61},
        {"title": "X" * 121, "name": "x"},
        {"title": "a\u202eb", "name": "x"},
        {"title": "a\0b", "name": "x"},
    ],
)
def test_bad_input_is_422(owner_client, version, url, values):
    assert owner_client.post(url, values).status_code == 422
    version.model.refresh_from_db()
    assert version.model.title == "Faces"


def test_other_fields_cannot_be_posted(owner_client, version, url, stranger):
    values = {"title": "X", "name": "x", "owner": stranger.pk, "visibility": "public", "is_starter": "on"}
    owner_client.post(url, values)
    version.model.refresh_from_db()
    assert version.model.owner != stranger
    assert version.model.visibility == "private"
    assert not version.model.is_starter


def test_stranger_gets_404_even_for_a_public_model(stranger_client, public_version, url):
    public = reverse("catalog:model_rename", args=[public_version.model.owner.handle, "cats"])
    for address in (url, public):
        assert stranger_client.get(address).status_code == 404
        assert stranger_client.post(address, {"title": "X", "name": "x"}).status_code == 404


def test_anonymous_is_asked_to_sign_in(client, url):
    assert asks_to_sign_in(client.get(url))
    assert asks_to_sign_in(client.post(url))


def test_wrong_methods(owner_client, url):
    assert wrong_methods_are_refused(owner_client, url, {"get", "post"})
