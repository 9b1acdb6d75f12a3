"""The form of a licence in Django admin: its terms are ticked, each with what it means."""

from typing import Any

from django import forms
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.licences import MEANINGS, TITLES, titles
from catalog.models import Licence

# What a licence says twice: as a term that people read, and as a switch that the studio computes with.
_SAID_TWICE = (
    ("conditions", "same-license", "share_alike"),
    ("conditions", "include-copyright", "attribution_required"),
    ("permissions", "modifications", "derivatives"),
)


def _choices(name: str) -> list[tuple[str, str]]:
    return [(slug, f"{TITLES[slug]}: {meaning}") for slug, meaning in MEANINGS[name].items()]


def _terms_field(name: str, label: Any) -> forms.MultipleChoiceField:
    # Django admin's own class for lists of choices: without it their labels are as narrow as fields' titles.
    boxes = forms.CheckboxSelectMultiple(attrs={"class": "radiolist"})
    return forms.MultipleChoiceField(label=label, choices=_choices(name), required=False, widget=boxes)


class LicenceForm(forms.ModelForm[Licence]):
    """A licence. What it says twice has to agree, and nothing is both granted and not granted."""

    permissions = _terms_field("permissions", gettext_lazy("Permissions"))
    conditions = _terms_field("conditions", gettext_lazy("Conditions"))
    limitations = _terms_field("limitations", gettext_lazy("Limitations (not granted)"))
    use_restrictions = _terms_field("use_restrictions", gettext_lazy("Restrictions of use"))
    further_restrictions = forms.CharField(
        label=gettext_lazy("Further restrictions"),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("In a few words each, one a line: what it may not be used for."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in MEANINGS:
            written: list[str] = getattr(self.instance, name)
            others = [term for term in written if term not in MEANINGS[name]]
            if name == "use_restrictions":
                self.initial["further_restrictions"] = "\n".join(titles(others))
                self.initial[name] = [term for term in written if term not in others]
            else:
                field = self.fields[name]
                assert isinstance(field, forms.MultipleChoiceField)
                field.choices = [*_choices(name), *zip(others, titles(others), strict=True)]

    def clean(self) -> dict[str, Any]:
        """Name what contradicts itself, beside the field in which it is put right."""
        values: dict[str, Any] = super().clean() or {}
        lines = values.get("further_restrictions", "").splitlines()
        further = [term for line in lines if (term := slugify(line)[:60])]
        values["use_restrictions"] = list(dict.fromkeys([*values.get("use_restrictions", []), *further]))
        for term in values.get("limitations", []):
            if term in values.get("permissions", []):
                sentence = _("“%(term)s” is granted above. Take one of the two away.")
                self.add_error("limitations", sentence % {"term": titles([term])[0]})
        for name, term, switch in _SAID_TWICE:
            if name in values and (term in values[name]) != values.get(switch, False):
                sentence = _("Tick this together with “%(term)s” among the %(list)s, or neither.")
                self.add_error(switch, sentence % {"term": TITLES[term], "list": self.fields[name].label})
        return values
