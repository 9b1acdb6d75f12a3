"""The demo account and accounts that are made without a form."""

import pytest
from allauth.account.models import EmailAddress

from accounts.models import User
from accounts.services import ensure_user
from config.demo import EMAIL, ensure_demo_login

pytestmark = pytest.mark.django_db


def test_an_account_is_made_once_with_a_verified_address():
    values = {"email": "ada@example.org", "password": "lovelace", "handle": "ada", "display_name": "Ada"}
    first, second = ensure_user(**values), ensure_user(**{**values, "password": "another"})
    assert first == second
    assert second.check_password("lovelace")
    assert EmailAddress.objects.get(user=first).verified


def test_the_demo_login_stays_the_same(tmp_path):
    first, second = ensure_demo_login(tmp_path), ensure_demo_login(tmp_path)
    assert first.password == second.password
    assert first.user.check_password(first.password)
    assert (tmp_path / "demo-password").stat().st_mode & 0o077 == 0
    assert not User.objects.get(email=EMAIL).is_staff


def test_a_changed_demo_password_is_not_shown_and_not_undone(tmp_path):
    login = ensure_demo_login(tmp_path)
    login.user.set_password("my own now")
    login.user.save()
    assert ensure_demo_login(tmp_path).password is None
    assert User.objects.get(email=EMAIL).check_password("my own now")
