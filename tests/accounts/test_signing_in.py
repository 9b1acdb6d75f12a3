"""Sign-up, sign-in, sign-out and the limits on guessing."""

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client

from accounts.models import User

PASSWORD = "correct horse"
LOGIN = "/account/login/"


def sign_in(client, email="owner@example.org", password=PASSWORD, **extra):
    return client.post(LOGIN, {"login": email, "password": password}, **extra)


def is_signed_in(client) -> bool:
    return "_auth_user_id" in client.session


@pytest.mark.django_db
def test_signing_up_makes_an_account_with_an_unguessable_public_name(client):
    response = client.post("/account/signup/", {"email": "Ada@Example.org", "password1": "lovelace and tea"})
    assert response.status_code == 302
    user = User.objects.get()
    assert user.email == "ada@example.org"
    assert "ada" not in user.handle
    assert is_signed_in(client)
    assert "ada@example.org" in mail.outbox[0].to


@pytest.mark.django_db
@pytest.mark.parametrize("password", ["short", "password", "12345678"])
def test_signing_up_refuses_a_weak_password(client, password):
    response = client.post("/account/signup/", {"email": "ada@example.org", "password1": password})
    assert response.status_code in (200, 422)
    assert not User.objects.exists()


def test_signing_up_twice_does_not_tell_that_the_address_is_known(owner, client, settings):
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    known = client.post("/account/signup/", {"email": owner.email, "password1": "lovelace and tea"})
    unknown = Client().post("/account/signup/", {"email": "new@example.org", "password1": "lovelace and tea"})
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    assert User.objects.filter(email=owner.email).count() == 1


def test_signing_in_gives_a_new_session_key(owner, client):
    client.session["before"] = "sign-in"
    session = client.session
    session["before"] = "sign-in"
    session.save()
    before = client.session.session_key
    assert sign_in(client).status_code == 302
    assert is_signed_in(client)
    assert client.session.session_key != before


def test_the_case_of_the_address_does_not_matter(owner, client):
    sign_in(client, "OWNER@Example.ORG")
    assert is_signed_in(client)


@pytest.mark.parametrize(
    "target", ["//evil.example/", "https://evil.example/", "javascript:alert(1)", r"/\evil.example"]
)
def test_after_signing_in_nobody_is_sent_elsewhere(owner, client, target):
    response = client.post(
        f"{LOGIN}?next={target}", {"login": owner.email, "password": PASSWORD, "next": target}
    )
    assert response["Location"] == "/"


def test_after_signing_in_one_gets_where_one_wanted_to(owner, client):
    response = client.post(LOGIN, {"login": owner.email, "password": PASSWORD, "next": "/datasets/"})
    assert response["Location"] == "/datasets/"


def test_known_and_unknown_addresses_get_the_same_answer(owner, client):
    known = sign_in(client, password="wrong")
    unknown = sign_in(Client(), "nobody@example.org", password="wrong")
    assert known.status_code == unknown.status_code
    assert known.context["form"].errors == unknown.context["form"].errors


def test_the_sixth_wrong_password_has_to_wait_and_the_owner_still_enters(owner, client):
    for _ in range(5):
        assert "Too many" not in str(sign_in(client, password="wrong").context["form"].errors)
    assert "Too many" in str(sign_in(client, password="wrong").context["form"].errors)
    sign_in(client)
    assert not is_signed_in(client)
    elsewhere = Client(REMOTE_ADDR="192.0.2.7")
    sign_in(elsewhere)
    assert is_signed_in(elsewhere)


def test_forged_addresses_do_not_escape_the_limit(owner, client):
    for number in range(6):
        response = sign_in(client, password="wrong", HTTP_X_FORWARDED_FOR=f"192.0.2.{number}")
    assert "Too many" in str(response.context["form"].errors)


def test_the_right_password_after_some_wrong_ones_enters(owner, client):
    for _ in range(4):
        sign_in(client, password="wrong")
    sign_in(client)
    assert is_signed_in(client)


@pytest.mark.django_db
def test_too_many_sign_ups_get_the_wait_page(client, settings):
    settings.ACCOUNT_RATE_LIMITS = {"signup": "1/m/ip"}
    for number in range(2):
        form = {"email": f"new{number}@example.org", "password1": "lovelace and tea"}
        response = Client().post("/account/signup/", form)
    assert response.status_code == 429
    assert int(response["Retry-After"]) > 0


def test_signing_out_needs_a_post_and_ends_the_session(owner, owner_client):
    owner_client.get("/account/logout/")
    assert is_signed_in(owner_client)
    response = owner_client.post("/account/logout/")
    assert response["Location"] == "/"
    assert not is_signed_in(owner_client)


def test_private_pages_are_in_no_cache(owner_client):
    assert owner_client.get("/account/email/")["Cache-Control"].count("no-store") == 1


def test_resetting_the_password_by_mail_ends_other_sessions(owner, owner_client, client):
    EmailAddress.objects.create(user=owner, email=owner.email, verified=True, primary=True)
    answer = client.post("/account/password/reset/", {"email": owner.email})
    address = next(word for word in mail.outbox[0].body.split() if "/password/reset/key/" in word)
    unknown = client.post("/account/password/reset/", {"email": "nobody@example.org"})
    assert (answer.status_code, answer["Location"]) == (unknown.status_code, unknown["Location"])
    form = client.get(address, follow=True)
    new = "a new horse and tea"
    client.post(form.request["PATH_INFO"], {"password1": new, "password2": new})
    owner.refresh_from_db()
    assert owner.check_password(new)
    assert owner_client.get("/datasets/").status_code == 302


def test_changing_the_password_keeps_this_session_and_ends_the_others(owner, owner_client):
    other = Client()
    other.force_login(owner)
    form = {"oldpassword": PASSWORD, "password1": "a new horse and tea", "password2": "a new horse and tea"}
    owner_client.post("/account/password/change/", form)
    assert is_signed_in(owner_client)
    assert owner_client.get("/account/email/").status_code == 200
    assert other.get("/account/email/").status_code == 302


def test_an_inactive_account_does_not_enter(make_user, client):
    make_user("gone@example.org", is_active=False)
    sign_in(client, "gone@example.org")
    assert not is_signed_in(client)


@pytest.mark.parametrize(
    ("address", "labels"),
    [
        (LOGIN, ["E-mail address", "Password"]),
        ("/account/signup/", ["E-mail address", "Password"]),
        ("/account/password/reset/", ["E-mail address"]),
    ],
)
def test_forms_have_one_name_for_each_thing(client, db, address, labels):
    page = client.get(address)
    fields = page.context["form"].visible_fields()
    assert [field.label for field in fields if field.name != "remember"] == labels
    assert "placeholder" not in page.content.decode()


@pytest.mark.parametrize(
    ("address", "labels"),
    [
        ("/account/email/", ["E-mail address"]),
        ("/account/password/change/", ["Current password", "New password", "New password, once more"]),
        ("/account/reauthenticate/", ["Password"]),
    ],
)
def test_so_have_those_of_an_account(owner_client, address, labels):
    page = owner_client.get(address)
    assert [field.label for field in page.context["form"].visible_fields()] == labels
    assert "placeholder" not in page.content.decode()
