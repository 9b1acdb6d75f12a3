"""Forms of jobs, for staff."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


class GiveBackForm(forms.Form):
    """How many of the credits that a job was charged go back, and why."""

    amount = forms.IntegerField(label=_("Credits"), min_value=1)
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        help_text=_("It stays in the ledger, with your name."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )
    # Made for each page that is shown: the same page sent twice gives back once.
    token = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, charged: int, **kwargs: Any) -> None:
        """Make the form for a job that was charged so many credits."""
        super().__init__(*args, **kwargs)
        self.fields["amount"].widget.attrs["max"] = charged
        self._charged = charged

    def clean_amount(self) -> int:
        """Refuse more than was charged."""
        amount: int = self.cleaned_data["amount"]
        if amount > self._charged:
            raise forms.ValidationError(
                _("%(charged)s credits were charged: give back at most as many.") % {"charged": self._charged}
            )
        return amount
