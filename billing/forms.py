"""Forms about credits."""

import uuid

from django import forms
from django.utils.translation import gettext_lazy as _

# More than any pack holds: a slip of the keyboard ends here.
MOST_GOODWILL = 100_000


class GoodwillForm(forms.Form):
    """How many credits, and why. `token` makes a form that is sent twice grant once."""

    amount = forms.IntegerField(label=_("Credits for each"), min_value=1, max_value=MOST_GOODWILL)
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
        help_text=_("It stays in the ledger, and the person reads it."),
    )
    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)


class ReasonForm(forms.Form):
    """Why. `token` makes a form that is sent twice count once."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
        help_text=_("It stays in the books, with your name."),
    )
    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)


class WaiveForm(ReasonForm):
    """Why somebody is let off what they owe."""


class RefundForm(ReasonForm):
    """How much money goes back, in cents, and why."""

    cents = forms.IntegerField(label=_("Amount in cents"), min_value=1)
    field_order = ("cents", "reason", "token")


class ClockForm(forms.Form):
    """How many days pass in the sandbox."""

    days = forms.IntegerField(label=_("Days"), min_value=1, max_value=400, initial=31)
