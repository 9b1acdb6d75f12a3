"""Forms with which publishers write what stands on a model's page."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from catalog.forms import clean_title
from catalog.models import Attribution, CatalogModel
from catalog.services.pages import Person

MAX_KEYWORDS = 12
MAX_KEYWORD = 40
MAX_TEXT = 20_000
MAX_PEOPLE = 40


class PageForm(forms.ModelForm[CatalogModel]):
    """The texts of a model's page."""

    description = forms.CharField(
        label=_("Description"),
        required=False,
        max_length=MAX_TEXT,
        widget=forms.Textarea(attrs={"rows": 10}),
        help_text=_(
            "What it does, for whom, how to get the best of it. Markdown works: **bold**, lists, links."
        ),
    )
    keywords = forms.CharField(
        label=_("Keywords"),
        required=False,
        max_length=MAX_KEYWORDS * (MAX_KEYWORD + 2),
        help_text=_("Between commas, at most twelve. People filter the catalog by them."),
    )
    training_data = forms.CharField(
        label=_("Training data"),
        required=False,
        max_length=MAX_TEXT,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("What it has seen, how much of it, and where that came from."),
    )
    known_limits = forms.CharField(
        label=_("Known limits"),
        required=False,
        max_length=MAX_TEXT,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("What it does badly, what its pictures leave out, what it was not made for."),
    )

    class Meta:
        model = CatalogModel
        fields = ["title", "tagline", "description", "keywords", "training_data", "known_limits"]
        help_texts = {"tagline": _("One line that says what it makes or does.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["keywords"] = ", ".join(self.instance.keywords)

    def clean_title(self) -> str:
        """Refuse what would break a line or a file name."""
        return clean_title(self.cleaned_data["title"])

    def clean_tagline(self) -> str:
        """Keep it on one line."""
        return " ".join(self.cleaned_data["tagline"].split())

    def clean_keywords(self) -> list[str]:
        """Return small words, each once, in the order in which they were typed."""
        typed = re.split(r"[,;\n]", self.cleaned_data["keywords"])
        words = list(
            dict.fromkeys(word for one in typed if (word := " ".join(one.lower().strip(" #").split())))
        )
        if len(words) > MAX_KEYWORDS:
            raise ValidationError(_("These are more than twelve keywords. Keep those that people look for."))
        if any(len(word) > MAX_KEYWORD for word in words):
            raise ValidationError(_("A keyword has at most 40 letters. Put commas between the keywords."))
        return words


class PersonForm(forms.Form):
    """Somebody who is behind a model. A line without a name is left out."""

    name = forms.CharField(label=_("Name"), max_length=120, required=False)
    role = forms.CharField(label=_("What they did"), max_length=120, required=False)
    link = forms.URLField(label=_("Link"), max_length=200, required=False, assume_scheme="https")

    def clean(self) -> dict[str, Any]:
        """A name needs a role, anything else a name."""
        cleaned = super().clean() or {}
        if cleaned.get("name") and not cleaned.get("role"):
            self.add_error("role", _("Say what they did: drew the pictures, wrote the code, trained it."))
        if not cleaned.get("name") and (cleaned.get("role") or cleaned.get("link")):
            self.add_error("name", _("Say who this is, or empty the line."))
        return cleaned

    def person(self) -> Person | None:
        """Return who stands here, None for an empty line."""
        if not self.cleaned_data.get("name"):
            return None
        return Person(**{key: self.cleaned_data[key] for key in ("name", "role", "link")})


# Two empty lines stand below those that are there; saving adds two more.
PeopleForms = forms.formset_factory(
    PersonForm, extra=2, max_num=MAX_PEOPLE, validate_max=True, absolute_max=MAX_PEOPLE
)


def people_forms(model: CatalogModel, data: Any = None) -> "forms.BaseFormSet[PersonForm]":
    """Return the lines of those who are behind a model."""
    named = Attribution.objects.filter(model=model).order_by("pk").values("name", "role", "link")
    return PeopleForms(data, initial=list(named), prefix="people")
