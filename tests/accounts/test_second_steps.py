"""The second step of signing in: codes of an app, recovery codes, and nothing that goes round them."""

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core import mail
from django.test import Client
from django.urls import reverse

from accounts.adapters import SecondStepAdapter
from accounts.belongings import everything_of
from tests.accounts.codes import App, give_app, recovery_codes

PASSWORD = "correct horse"
SECOND = reverse("mfa_authenticate")

pytestmark = pytest.mark.django_db


@pytest.fixture
def app(owner, monkeypatch) -> App:
    return give_app(owner, monkeypatch)


def sign_in(client, user, password=PASSWORD):
    return client.post(reverse("account_login"), {"login": user.email, "password": password})


def enter(client, code):
    return client.post(SECOND, {"code": code})


def is_signed_in(client) -> bool:
    return "_auth_user_id" in client.session


def confirm(client, page) -> None:
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD, "next": reverse(page)})


def test_the_password_alone_does_not_sign_in(owner, client, app):
    answer = sign_in(client, owner)
    assert answer["Location"] == SECOND
    assert not is_signed_in(client)
    assert client.get("/datasets/").status_code == 302
    assert "one of your recovery codes" in client.get(SECOND).content.decode()
    assert enter(client, app.code()).status_code == 302
    assert is_signed_in(client)


def test_a_code_that_was_used_is_refused(owner, client, app):
    code = app.code()
    sign_in(client, owner)
    enter(client, code)
    other = Client()
    sign_in(other, owner)
    assert "used already" in enter(other, code).content.decode()
    assert not is_signed_in(other)
    app.wait()
    assert "used already" in enter(other, code).content.decode()
    enter(other, app.code())
    assert is_signed_in(other)


def test_a_recovery_code_lets_in_once(owner, client, app):
    code = recovery_codes(owner)[0]
    sign_in(client, owner)
    enter(client, code)
    assert is_signed_in(client)
    assert code not in recovery_codes(owner)
    other = Client()
    sign_in(other, owner)
    assert "used already" in enter(other, code).content.decode()
    assert not is_signed_in(other)


def test_guessing_codes_has_to_wait(owner, client, app):
    sign_in(client, owner)
    for _ in range(5):
        assert "used already" in enter(client, "000000x").content.decode()
    assert "Too many" in enter(client, app.code()).content.decode()
    assert not is_signed_in(client)


def test_a_new_password_does_not_skip_the_second_step(owner, client, app):
    EmailAddress.objects.create(user=owner, email=owner.email, verified=True, primary=True)
    client.post(reverse("account_reset_password"), {"email": owner.email})
    link = next(word for word in mail.outbox[0].body.split() if "/password/reset/key/" in word)
    form = client.get(link, follow=True)
    new = "a new horse and tea"
    client.post(form.request["PATH_INFO"], {"password1": new, "password2": new})
    owner.refresh_from_db()
    assert owner.check_password(new)
    assert not is_signed_in(client)
    sign_in(client, owner, new)
    assert not is_signed_in(client)
    enter(client, app.code())
    assert is_signed_in(client)


def test_staff_have_no_way_round_it(staff, client, monkeypatch):
    give_app(staff, monkeypatch)
    client.post(reverse("admin:login"), {"username": staff.email, "password": PASSWORD})
    assert not is_signed_in(client)
    assert sign_in(client, staff)["Location"] == SECOND
    assert client.get(reverse("admin:index")).status_code == 302


# A mail that goes out on commit is written within its request, as it is where transactions are real.
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_an_app_is_set_up_after_the_password_was_asked_for(owner, owner_client, monkeypatch):
    EmailAddress.objects.create(user=owner, email=owner.email, verified=True, primary=True)
    page = reverse("mfa_activate_totp")
    assert reverse("account_reauthenticate") in owner_client.get(page)["Location"]
    confirm(owner_client, "mfa_activate_totp")
    shown = owner_client.get(page)
    app = App(shown.context["form"].secret, monkeypatch)
    assert "issuer=Atelier" in shown.context["totp_url"]
    assert "used already" in owner_client.post(page, {"code": "000000x"}).content.decode()
    codes = owner_client.post(page, {"code": app.code()}, follow=True)
    assert mail.outbox[-1].to == [owner.email]
    assert "authenticator app was added" in mail.outbox[-1].body

    # The codes are shown this once, and the code that set it up signs nobody in.
    assert recovery_codes(owner)[0] in codes.content.decode()
    again = owner_client.get(reverse("mfa_view_recovery_codes")).content.decode()
    assert recovery_codes(owner)[0] not in again
    other = Client()
    sign_in(other, owner)
    enter(other, app.code())
    assert not is_signed_in(other)


def test_secrets_are_not_stored_as_they_are(owner, app):
    stored = Authenticator.objects.get(user=owner, type=Authenticator.Type.TOTP).data["secret"]
    assert app.secret not in stored
    assert SecondStepAdapter().decrypt(stored) == app.secret


def test_a_changed_secret_key_keeps_secrets_where_the_old_one_is_named(owner, app, settings):
    stored = Authenticator.objects.get(user=owner, type=Authenticator.Type.TOTP).data["secret"]
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another key"
    settings.SECRET_KEY_FALLBACKS = [old]
    assert SecondStepAdapter().decrypt(stored) == app.secret
    settings.SECRET_KEY_FALLBACKS = []
    assert SecondStepAdapter().decrypt(stored) != SecondStepAdapter().decrypt(stored)


def test_an_address_that_is_not_confirmed_gets_no_second_step_in_production(owner, owner_client, settings):
    settings.MFA_ALLOW_UNVERIFIED_EMAIL = False
    EmailAddress.objects.create(user=owner, email=owner.email, verified=False, primary=True)
    page = owner_client.get(reverse("mfa_activate_totp"), follow=True)
    assert "Confirm your e-mail address first" in page.content.decode()


def test_removing_the_app_removes_the_codes_and_is_told(owner, owner_client, app):
    EmailAddress.objects.create(user=owner, email=owner.email, verified=True, primary=True)
    confirm(owner_client, "mfa_index")
    owner_client.post(reverse("mfa_deactivate_totp"))
    assert not Authenticator.objects.filter(user=owner).exists()
    assert "removed from your account" in mail.outbox[-1].body


def test_what_is_taken_along_names_the_steps_without_their_secrets(owner, app):
    stored = Authenticator.objects.get(user=owner, type=Authenticator.Type.TOTP).data["secret"]
    files = {name: b"".join(content).decode() for name, content in everything_of(owner, ["account"])}
    assert '"totp"' in files["account/second-steps.jsonl"]
    everything = "".join(files.values())
    for secret in (app.secret, stored, *recovery_codes(owner)):
        assert secret not in everything


def _remove(staff_client, *users):
    form = {"action": "remove_second_steps", "_selected_action": [str(user.pk) for user in users]}
    return staff_client.post(reverse("admin:accounts_user_changelist"), form, follow=True)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_staff_help_somebody_in_who_lost_everything(owner, staff, app, client):
    sign_in(client, owner)
    enter(client, app.code())
    staff_client = Client()
    staff_client.force_login(staff)
    _remove(staff_client, owner)
    assert not Authenticator.objects.filter(user=owner).exists()
    assert LogEntry.objects.get(object_id=str(owner.pk)).user == staff
    assert not UserSession.objects.filter(user=owner).exists()
    assert client.get("/datasets/").status_code == 302
    assert mail.outbox[-1].to == [owner.email]
    assert "second steps" in mail.outbox[-1].body
    sign_in(client, owner)
    assert is_signed_in(client)


def test_the_second_step_of_staff_is_removed_by_a_superuser_alone(make_user, staff, monkeypatch):
    give_app(staff, monkeypatch)
    helper = make_user("helper@example.org", is_staff=True)
    helper.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    other = make_user("other@example.org")
    give_app(other, monkeypatch)
    client = Client()
    client.force_login(helper)
    _remove(client, staff, other)
    assert Authenticator.objects.filter(user=staff).exists()
    assert not Authenticator.objects.filter(user=other).exists()


def test_administration_shows_no_secret(staff):
    client = Client()
    client.force_login(staff)
    assert client.get("/admin/mfa/authenticator/").status_code == 404
    assert client.get("/admin/usersessions/usersession/").status_code == 404
