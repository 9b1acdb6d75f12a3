"""Forms with which captions are changed."""

from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from training.captions import (
    MAX_LENGTH,
    MAX_TEMPLATE_LENGTH,
    TEMPLATES,
    Change,
    addition,
    clean_keyword,
    filling,
    following_purpose,
    replacement,
)
from training.exceptions import CaptionRefused
from training.forms import clean_line
from training.models import Dataset, Purpose

REPLACE, TEMPLATE, ADD, CLEAR, FOLLOW = "replace", "template", "add", "clear", "follow"
ALL, TICKED = "all", "ticked"


class WordsForm(forms.ModelForm[Dataset]):
    """The word that stands for what is learned, and what kind of thing that is."""

    class Meta:
        model = Dataset
        fields = ["keyword", "subject"]
        labels = {"keyword": _("Keyword"), "subject": _("What it shows")}
        help_texts = {
            "keyword": _("An unusual word for what is learned. It is put into every caption."),
            "subject": _("What kind of thing it is: woman, dog, teapot, watercolour."),
        }

    def clean_keyword(self) -> str:
        """One word."""
        return _judged(clean_keyword, self.cleaned_data["keyword"])

    def clean_subject(self) -> str:
        """One line."""
        return clean_line(self.cleaned_data["subject"])


class ChangeForm(forms.Form):
    """One change to all captions or to those of ticked pictures; `change` holds it once the form is valid."""

    action = forms.ChoiceField(choices=[(name, name) for name in (REPLACE, TEMPLATE, ADD, CLEAR, FOLLOW)])
    scope = forms.ChoiceField(
        label=_("Change"),
        choices=[(ALL, _("All captions")), (TICKED, _("Only those that are ticked"))],
        widget=forms.RadioSelect,
        initial=ALL,
    )
    find = forms.CharField(label=_("Find"), max_length=200, required=False, strip=False)
    replace = forms.CharField(label=_("Replace with"), max_length=200, required=False, strip=False)
    whole_words = forms.BooleanField(label=_("Whole words only"), required=False)
    template = forms.CharField(
        label=_("Template"),
        max_length=MAX_TEMPLATE_LENGTH,
        required=False,
        help_text=_(
            "{caption} is what stands there now, {keyword} the keyword above, {class} what it shows."
        ),
    )
    before = forms.CharField(label=_("At the front"), max_length=200, required=False)
    after = forms.CharField(label=_("At the end"), max_length=200, required=False)
    was = forms.ChoiceField(label=_("Purpose before"), choices=Purpose.choices, required=False)

    def __init__(self, *args: Any, dataset: Dataset, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._dataset = dataset
        self.initial.setdefault("template", TEMPLATES[Purpose(dataset.purpose)])
        self.change: Change = str

    @property
    def ticked(self) -> set[UUID] | None:
        """The pictures whose captions change, None for all. Raises ValueError for what is no picture."""
        if self.data.get("scope") != TICKED:
            return None
        return {UUID(value) for value in self._named()}

    def _named(self) -> list[str]:
        return self.data.getlist("pictures") if isinstance(self.data, QueryDict) else []

    def clean(self) -> dict[str, Any]:
        """Make the change. What it needs and is missing is said at its field."""
        values = super().clean() or {}
        action = values.get("action")
        if action == REPLACE:
            if not values.get("find"):
                self.add_error("find", gettext("Type what is to be found."))
            self.change = replacement(
                values.get("find", ""),
                values.get("replace", ""),
                whole_words=values.get("whole_words", False),
            )
        elif action == TEMPLATE:
            self._fill(values.get("template", ""))
        elif action == ADD:
            if not (values.get("before") or values.get("after")):
                self.add_error("before", gettext("Type what is to be added, at the front or at the end."))
            self.change = addition(values.get("before", ""), values.get("after", ""))
        elif action == CLEAR:
            self.change = lambda _caption: ""
        elif action == FOLLOW:
            if not values.get("was"):
                self.add_error("was", gettext("Choose the purpose that the captions were written for."))
            else:
                self.change = following_purpose(self._dataset, values["was"])
        if values.get("scope") == TICKED and not self._named():
            self.add_error("scope", gettext("Tick the pictures first, or change all captions."))
        return values

    def _fill(self, template: str) -> None:
        if not template:
            self.add_error("template", gettext("Type a template."))
            return
        try:
            self.change = filling(template, keyword=self._dataset.keyword, subject=self._dataset.subject)
        except CaptionRefused as error:
            self.add_error("template", str(error))


class CaptionForm(forms.Form):
    """One caption. How long it may be is judged once it is cleaned, and bounded here already."""

    caption = forms.CharField(max_length=4 * MAX_LENGTH, required=False, strip=False)


def _judged(clean: Any, text: str) -> str:
    try:
        return str(clean(text))
    except CaptionRefused as error:
        raise ValidationError(str(error)) from error
