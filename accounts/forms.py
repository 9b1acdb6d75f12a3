"""What people change of their accounts."""

from typing import Any

from django import forms
from django.contrib.auth.forms import UserChangeForm
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.exceptions import HandleRefusedError
from accounts.models import User
from accounts.profiles import change_handle, check_handle


class MailForm(forms.ModelForm[User]):
    """Which e-mails somebody wants."""

    class Meta:
        model = User
        fields = ("mail_when_ended",)


class ProfileForm(forms.Form):
    """What others see of somebody."""

    display_name = forms.CharField(
        label=_("Name"),
        max_length=80,
        required=False,
        help_text=_("As you want to be called. Without one, your public name is shown."),
        widget=forms.TextInput(attrs={"autocomplete": "nickname"}),
    )
    handle = forms.CharField(
        label=_("Public name"),
        max_length=40,
        help_text=_("It stands in the addresses of your models: small letters, digits and hyphens."),
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)
        self.initial = {"display_name": user.display_name, "handle": user.handle}

    def clean_display_name(self) -> str:
        """Keep it on one line; refuse what would turn the text around it."""
        name = " ".join(str(self.cleaned_data["display_name"]).split())
        if not name.isprintable():
            raise ValidationError(_("There are characters in it that cannot be seen. Type it anew."))
        return name

    def clean_handle(self) -> str:
        """Return the public name in small letters, where it is free."""
        return _free_handle(self.user, self.cleaned_data["handle"])

    def save(self) -> None:
        """Store both. Raises HandleRefusedError when somebody took the public name meanwhile."""
        change_handle(user=self.user, handle=self.cleaned_data["handle"])
        self.user.display_name = self.cleaned_data["display_name"]
        self.user.save(update_fields=["display_name"])


class AccountForm(UserChangeForm[User]):
    """What staff change of an account. A public name is refused for the same reasons as on its own page."""

    def clean_handle(self) -> str:
        """Return the public name in small letters, where it is free."""
        return _free_handle(self.instance, self.cleaned_data["handle"])


def _free_handle(user: User, wanted: str) -> str:
    handle = wanted.lower()
    try:
        check_handle(user=user, handle=handle)
    except HandleRefusedError as refusal:
        raise ValidationError(str(refusal)) from refusal
    return handle
