"""allauth's forms, in our words: one name for each thing, and no placeholder that only repeats it."""

from typing import Any, ClassVar

from allauth.account import forms as account
from allauth.mfa.adapter import get_adapter as get_second_step_adapter
from allauth.mfa.base import forms as second_step
from allauth.mfa.models import Authenticator
from allauth.mfa.totp import forms as totp
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.webauthn.forms import AddWebAuthnForm
from django import forms
from django.utils.translation import gettext_lazy as _


class InOurWords(forms.Form):
    """Names the fields that it knows. Stands before the form of allauth that makes them."""

    labels: ClassVar[dict[str, Any]] = {
        "login": _("E-mail address"),
        "email": _("E-mail address"),
        "oldpassword": _("Current password"),
        "password1": _("New password"),
        "password2": _("New password, once more"),
        "code": _("Code"),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if name in self.labels:
                field.label = self.labels[name]
            field.widget.attrs.pop("placeholder", None)


class LoginForm(InOurWords, account.LoginForm):
    """Signs somebody in."""


class SignupForm(InOurWords, account.SignupForm):
    """Makes an account."""

    labels = InOurWords.labels | {"password1": _("Password")}


class AddEmailForm(InOurWords, account.AddEmailForm):
    """Adds an address to an account."""


class ChangePasswordForm(InOurWords, account.ChangePasswordForm):
    """Changes a password."""


class SetPasswordForm(InOurWords, account.SetPasswordForm):
    """Gives an account its first password."""


class ResetPasswordForm(InOurWords, account.ResetPasswordForm):
    """Sends the link with which a new password is chosen."""


class ResetPasswordKeyForm(InOurWords, account.ResetPasswordKeyForm):
    """Takes the new password, behind that link."""


class ReauthenticateForm(InOurWords, account.ReauthenticateForm):
    """Asks for the password once more."""


class AuthenticateCodeForm(InOurWords, second_step.AuthenticateForm):
    """Asks for the second step."""


class ReauthenticateCodeForm(InOurWords, second_step.ReauthenticateForm):
    """Asks for a code once more."""


class ActivateTOTPForm(InOurWords, totp.ActivateTOTPForm):
    """Adds an authenticator app. The code that shows it works is used up: it signs nobody in any more."""

    def clean_code(self) -> str:
        """Return the right code, or raise a ValidationError."""
        code = str(super().clean_code())
        if not TOTP(Authenticator(user=self.user))._mark_code_used(code):  # noqa: SLF001 - allauth has no other
            raise get_second_step_adapter().validation_error("incorrect_code")
        return code


class AddPasskeyForm(AddWebAuthnForm):
    """Adds a passkey, in our words."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].label = _("Name")
        self.fields["name"].help_text = _("By which you know it again: the device, or the key ring it is in.")
        self.fields["passwordless"].label = _("Sign in with it alone, without the password")
        self.fields["passwordless"].help_text = _(
            "It then asks for your fingerprint, face or PIN. Leave it off for a security key that has none: "
            "that one comes after the password."
        )
        self.fields["passwordless"].initial = True
