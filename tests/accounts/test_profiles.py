"""What others see: a name, and a public name that nobody else can have, whose former ones lead on."""

import pytest
from django.urls import reverse

from accounts.exceptions import HandleRefusedError
from accounts.models import FormerHandle
from accounts.profiles import MAX_FORMER_HANDLES, change_handle

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


def test_saving_without_a_change_keeps_no_former_name(owner, owner_client):
    _save(owner_client, owner.handle)
    assert not FormerHandle.objects.exists()
