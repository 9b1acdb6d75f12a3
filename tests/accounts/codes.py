"""An authenticator app, as far as tests need one."""

import time

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value

from accounts.models import User

PERIOD = 30


class App:
    """Shows the codes of a secret, on a clock of its own."""

    def __init__(self, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.secret = secret
        self._now = time.time()
        monkeypatch.setattr("allauth.mfa.totp.internal.auth.time.time", lambda: self._now)

    def code(self) -> str:
        """Return what it shows now."""
        return format_hotp_value(hotp_value(self.secret, int(self._now) // PERIOD))

    def wait(self) -> None:
        """Let half a minute go by."""
        self._now += PERIOD


def give_app(user: User, monkeypatch: pytest.MonkeyPatch) -> App:
    """Set an app up for somebody, and their recovery codes."""
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    RecoveryCodes.activate(user)
    return App(secret, monkeypatch)


def recovery_codes(user: User) -> list[str]:
    """Return those that somebody has left."""
    return list(RecoveryCodes.activate(user).get_unused_codes())
