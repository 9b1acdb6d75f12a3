"""The form by which the rights to a dataset's pictures are stated."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from catalog.licences import OWN_WORK
from catalog.models import Licence
from training.models import Dataset, People


def _place(licence: Licence) -> tuple[bool, bool, bool, str]:
    """Where a licence stands in the list; what forbids any use comes last."""
    is_for_pictures = licence.spdx_id.startswith("CC")
    return not licence.derivatives, licence.pk != OWN_WORK, not is_for_pictures, licence.name


class RightsForm(forms.ModelForm[Dataset]):
    """Where the pictures come from, under which licence they are, and whether people are shown."""

    source_note = forms.CharField(
        label=_("Where do the pictures come from?"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3, "maxlength": 1000}),
        help_text=_("Who made them, where you have them from, a link if there is one. Only you see this."),
        error_messages={"required": _("Say where the pictures come from: “I took them myself” will do.")},
    )
    licence = forms.ModelChoiceField(
        queryset=Licence.objects.filter(is_offered=True),
        label=_("What may be done with them?"),
        widget=forms.RadioSelect,
        empty_label=None,
        error_messages={
            "required": _("Choose what may be done with the pictures."),
            "invalid_choice": _("There is no such licence. Choose one of these."),
        },
    )
    people = forms.ChoiceField(
        label=_("Do they show people?"),
        choices=[(one.value, one.label) for one in (People.NONE, People.CONSENT)],
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Say whether people are shown. If one has not agreed, remove the picture first."),
            "invalid_choice": _("Choose one of these two."),
        },
    )

    class Meta:
        model = Dataset
        fields = ["source_note", "licence", "people"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.rights_stated_at is None:
            # A dataset has one from the start; here nothing is stated for anybody.
            self.initial["licence"] = None

    def licences(self) -> list[tuple[Licence, bool]]:
        """Every licence and whether it is chosen: one's own work, those made for pictures, the others."""
        chosen = str(self["licence"].value())
        found = sorted(Licence.objects.filter(is_offered=True), key=_place)
        return [(one, one.pk == chosen) for one in found]

    def clean_source_note(self) -> str:
        """No control characters but line ends."""
        text: str = self.cleaned_data["source_note"].replace("\r\n", "\n")
        return "".join(letter for letter in text if letter.isprintable() or letter == "\n").strip()

    def values(self) -> dict[str, Any]:
        """Return what `state_rights` takes."""
        return {name: self.cleaned_data[name] for name in self.Meta.fields}
