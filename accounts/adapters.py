"""How django-allauth behaves here."""

import base64
import hashlib
import logging
from typing import Any, ClassVar

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import generate_totp_secret
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User

logger = logging.getLogger(__name__)


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is untyped
    """Counts wrong passwords by account and address together.

    allauth counts them by account alone, so that anybody could lock an owner out by guessing wrongly.
    """

    error_messages: ClassVar[dict[str, Any]] = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": _(
            "This address and this password don't belong together. Try again, or set a new password."
        ),
    }

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        key = super()._get_login_attempts_cache_key(request, **credentials)
        return f"{key}:{self.get_client_ip(request)}"


class SecondStepAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth is untyped
    """The second step of signing in, in our words; a copy of the database gives no secret of it away."""

    error_messages: ClassVar[dict[str, Any]] = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": _("This is not right, or it was used already. Try again with the next code."),
        "unverified_email": _(
            "Confirm your e-mail address first: open the link that we sent you, or have it sent again."
        ),
        "cannot_generate_recovery_codes": _("Add an authenticator app or a passkey first."),
    }

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:  # noqa: A002 -- the name is allauth's
        """Return a name for a passkey that is added."""
        number = Authenticator.objects.filter(user=user, type=type).count() + 1
        return ngettext("Passkey", "Passkey %(number)s", number) % {"number": number}

    def encrypt(self, text: str) -> str:
        """Return a secret as it is stored."""
        return _box().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Return a stored secret. One that no key opens becomes one that nobody knows: no code fits."""
        try:
            return _box().decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            logger.warning(
                "A second step cannot be read: SECRET_KEY was changed without SECRET_KEY_FALLBACKS."
            )
            return str(generate_totp_secret())

    def _get_site_name(self) -> str:
        return gettext("Atelier")


def _box() -> MultiFernet:
    """What opens secrets: keys that follow from SECRET_KEY and, to read only, from those of before."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    digests = [hashlib.blake2b(key.encode(), digest_size=32, person=b"second-step").digest() for key in keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])
