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
