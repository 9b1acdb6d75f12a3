"""What others see: a name, and a public name that nobody else can have, whose former ones lead on."""

import pytest
from django.urls import reverse

from accounts.exceptions import HandleRefusedError
from accounts.models import FormerHandle
from accounts.profiles import MAX_FORMER_HANDLES, change_handle
from catalog.models import CatalogModel, Visibility
from tests.world import build_world

PAGE = reverse("account_profile")

pytestmark = pytest.mark.django_db


def _save(client, handle, name="Ada"):
    return client.post(PAGE, {"display_name": name, "handle": handle})


def test_both_names_are_changed(owner, owner_client):
    before = owner.handle
    assert _save(owner_client, "Ada-Lovelace")["Location"] == PAGE
    owner.refresh_from_db()
    assert (owner.handle, owner.public_name) == ("ada-lovelace", "Ada")
    page = owner_client.get(PAGE).content.decode()
    assert before in page
    assert "/catalog/ada-lovelace/" in page


@pytest.mark.parametrize(
    "handle", ["", "a", "ab", "a b", "-ada", "ada-", "a--da", "ada_l", "adä", "x" * 41, "atelier", "Admin"]
)
def test_some_public_names_are_refused(owner, owner_client, handle):
    before = owner.handle
    answer = _save(owner_client, handle)
    assert answer.status_code == 422
    assert answer.context["form"].errors["handle"]
    owner.refresh_from_db()
    assert owner.handle == before


def test_what_cannot_be_seen_is_no_name(owner_client):
    assert _save(owner_client, "ada-l", name="Ada\u202eecalevol").context["form"].errors["display_name"]


def test_a_public_name_is_one_persons_for_good(owner, stranger):
    first = owner.handle
    with pytest.raises(HandleRefusedError):
        change_handle(user=stranger, handle=first)
    change_handle(user=owner, handle="ada")
    with pytest.raises(HandleRefusedError):
        change_handle(user=stranger, handle=first)
    change_handle(user=owner, handle=first)
    assert list(FormerHandle.objects.values_list("handle", flat=True)) == ["ada"]


def test_nobody_collects_public_names(owner):
    first = owner.handle
    for number in range(MAX_FORMER_HANDLES):
        change_handle(user=owner, handle=f"ada-{number}")
    with pytest.raises(HandleRefusedError, match=first):
        change_handle(user=owner, handle="ada-again")
    change_handle(user=owner, handle=first)


def _save_in_admin(client, user, handle):
    """Change a public name in Django admin. Return the answer."""
    page = reverse("admin:accounts_user_change", args=[user.pk])
    return client.post(
        page, {"email": user.email, "handle": handle, "display_name": "Ada", "is_active": "on"}
    )


def test_staff_change_a_public_name_by_the_same_rules(owner, stranger, admin_client):
    before = owner.handle
    assert _save_in_admin(admin_client, owner, "Ada").status_code == 302
    owner.refresh_from_db()
    assert (owner.handle, owner.public_name) == ("ada", "Ada")
    assert list(owner.former_handles.values_list("handle", flat=True)) == [before]

    for refused in (before, "ada", "studio", "a--da"):
        answer = _save_in_admin(admin_client, stranger, refused)
        assert "handle" in answer.context["adminform"].form.errors
    assert _save_in_admin(admin_client, owner, "ada").status_code == 302
    assert owner.former_handles.count() == 1


def test_models_are_found_under_the_name_that_staff_changed(owner, admin_client, client, tmp_path):
    model = build_world(owner, tmp_path).version.model
    CatalogModel.objects.filter(pk=model.pk).update(visibility=Visibility.PUBLIC)
    former = reverse("catalog:model_detail", args=[owner.handle, model.name])
    _save_in_admin(admin_client, owner, "ada")
    answer = client.get(former)
    assert answer["Location"] == reverse("catalog:model_detail", args=["ada", model.name])


def test_saving_without_a_change_keeps_no_former_name(owner, owner_client):
    _save(owner_client, owner.handle)
    assert not FormerHandle.objects.exists()
