"""The demo account."""

import pytest

from billing.models import CreditAccount
from billing.selectors import balance_of
from config import demo

pytestmark = pytest.mark.django_db


def test_it_has_credits_to_try_everything_once(tmp_path):
    login = demo.ensure_demo_login(tmp_path)
    again = demo.ensure_demo_login(tmp_path)

    assert again == login
    assert balance_of(login.user).available == 125 + demo.CREDITS


def test_in_house_mode_it_has_none(tmp_path, settings):
    settings.CREDITS_ENABLED = False
    demo.ensure_demo_login(tmp_path)

    assert not CreditAccount.objects.exists()
