"""What people change of their accounts."""

from django import forms

from accounts.models import User


class MailForm(forms.ModelForm[User]):
    """Which e-mails somebody wants."""

    class Meta:
        model = User
        fields = ("mail_when_ended",)
