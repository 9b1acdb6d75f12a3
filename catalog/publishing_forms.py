"""Forms about who may have a model: its licence for others, withdrawing it, reporting it."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from catalog.licences import CUSTOM, OWN_WORK, TITLES
from catalog.line import line_of
from catalog.models import CatalogModel, Licence, ModelReport, ModelVersion, Visibility
from catalog.services.licences import CHOICES, licence_for_others, write_licence
from catalog.terms import Action, forbids, terms_of_line

LONGEST_TEXT = 20_000


def clean_lines(text: str) -> str:
    """Drop control characters from a text of several lines."""
    lines = text.replace("\r\n", "\n")
    return "".join(letter for letter in lines if letter.isprintable() or letter == "\n").strip()


@dataclass(frozen=True, kw_only=True)
class LicenceChoice:
    """A licence as the form offers it; `problem` says why the line of the model does not allow it."""

    licence: Licence
    is_chosen: bool
    problem: str


class PublishForm(forms.Form):
    """Who finds a model, and under which licence others have it."""

    visibility = forms.ChoiceField(
        label=gettext_lazy("Who can have it?"),
        widget=forms.RadioSelect,
        choices=[
            (Visibility.PRIVATE, gettext_lazy("Only you")),
            (Visibility.UNLISTED, gettext_lazy("Whoever knows its address")),
            (
                Visibility.PUBLIC,
                gettext_lazy("Everybody: it stands in the catalog, once we have looked at it"),
            ),
        ],
    )
    licence = forms.ModelChoiceField(
        label=gettext_lazy("What may others do with it?"),
        queryset=Licence.objects.filter(is_offered=True).exclude(pk=OWN_WORK),
        required=False,
        empty_label=None,
        error_messages={"invalid_choice": gettext_lazy("There is no such licence. Choose one of these.")},
    )
    own_text = forms.CharField(
        label=gettext_lazy("The text of your own terms"),
        required=False,
        max_length=LONGEST_TEXT,
        widget=forms.Textarea(attrs={"rows": 6, "maxlength": LONGEST_TEXT}),
        help_text=gettext_lazy("Only where you chose other terms above."),
    )
    own_allowed = forms.MultipleChoiceField(
        label=gettext_lazy("What does that text say?"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        choices=[(term, TITLES[term]) for term in CHOICES],
    )
    message = forms.CharField(
        label=gettext_lazy("A message to those who look at it"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3, "maxlength": 2000}),
    )

    def __init__(self, data: Any = None, *, model: CatalogModel, version: ModelVersion | None) -> None:
        granted = licence_for_others(model)
        is_own = granted is not None and not granted.is_offered
        initial = {
            "visibility": model.visibility,
            "licence": CUSTOM if is_own else granted and granted.pk,
            "own_text": granted.full_text if granted and is_own else "",
            "own_allowed": [*granted.permissions, *granted.conditions] if granted and is_own else [],
        }
        super().__init__(data, initial=initial)
        self._model, self._version = model, version

    def clean_own_text(self) -> str:
        """No control characters but line ends."""
        return clean_lines(self.cleaned_data["own_text"])

    def clean_message(self) -> str:
        """No control characters but line ends."""
        return clean_lines(self.cleaned_data["message"])

    def clean(self) -> dict[str, Any]:
        """Others need a licence, and a text of one's own its words."""
        values: dict[str, Any] = super().clean() or {}
        licence = values.get("licence")
        if values.get("visibility") == Visibility.PRIVATE or "licence" not in values:
            return values
        if licence is None:
            self.add_error("licence", _("Choose what others may do with the model."))
        elif licence.pk == CUSTOM and not values.get("own_text"):
            self.add_error("own_text", _("Write the terms, or choose one of the licences above."))
        return values

    def chosen_licence(self) -> Licence:
        """Return the licence, once the form is valid; a text of one's own becomes one."""
        licence: Licence = self.cleaned_data["licence"]
        if licence.pk != CUSTOM:
            return licence
        return write_licence(text=self.cleaned_data["own_text"], allowed=self.cleaned_data["own_allowed"])

    def licences(self) -> list[LicenceChoice]:
        """Every licence with what speaks against it: possible ones first, of these the common ones.

        Four queries.
        """
        chosen = str(self["licence"].value() or "")
        field = self.fields["licence"]
        assert isinstance(field, forms.ModelChoiceField)
        assert field.queryset is not None
        line = line_of(self._version.source) if self._version else None
        found = []
        for licence in field.queryset:
            problem = None
            # What a text of one's own allows is known once it is written.
            if line is not None and licence.pk != CUSTOM:
                tried = terms_of_line(line, viewer=self._model.owner, licence=licence)
                problem = forbids(tried, Action.SHARE)
            found.append(
                LicenceChoice(licence=licence, is_chosen=licence.pk == chosen, problem=problem or "")
            )
        return sorted(
            found,
            key=lambda choice: (bool(choice.problem), not choice.licence.spdx_id, choice.licence.name),
        )


class WithdrawForm(forms.Form):
    """Why a model is withdrawn."""

    reason = forms.CharField(
        label=gettext_lazy("Why?"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3, "maxlength": 500}),
        help_text=gettext_lazy("Whoever opens its page reads this."),
        error_messages={"required": gettext_lazy("Write a reason: one sentence will do.")},
    )

    def clean_reason(self) -> str:
        """No control characters but line ends."""
        return clean_lines(self.cleaned_data["reason"])


class ReportForm(forms.ModelForm[ModelReport]):
    """What is wrong with somebody's model."""

    reason = forms.ChoiceField(
        label=gettext_lazy("What is wrong?"),
        widget=forms.RadioSelect,
        choices=ModelReport.Reason.choices,
        error_messages={"required": gettext_lazy("Choose what is wrong.")},
    )
    text = forms.CharField(
        label=gettext_lazy("What should we know?"),
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 5, "maxlength": 5000}),
        help_text=gettext_lazy("What you saw, where, and what it is to you. Links help."),
        error_messages={"required": gettext_lazy("Write what we should know: without it we can do nothing.")},
    )

    class Meta:
        model = ModelReport
        fields = ["reason", "text", "email"]
        help_texts = {"email": gettext_lazy("We use it only to tell you what came of it.")}

    def __init__(self, data: Any = None, *, reporter: User | None) -> None:
        super().__init__(data, initial={"email": reporter.email if reporter else ""})

    def clean_text(self) -> str:
        """No control characters but line ends."""
        return clean_lines(self.cleaned_data["text"])
