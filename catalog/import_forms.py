"""What somebody says of a model that they bring."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from catalog.exceptions import NameTakenError
from catalog.imports.found import Found
from catalog.models import Licence, ModelImport, ModelVersion
from catalog.selectors import base_models
from catalog.services import check_name_free, suggest_names
from engines.manifest import LORA


class BaseChoiceField(forms.ModelChoiceField[ModelVersion]):
    """Bases by the titles of their models."""

    def label_from_instance(self, obj: Any) -> str:
        """What stands in the list."""
        return str(obj.model.title)


class ImportAnswerForm(forms.Form):
    """Title, name, author, source and licence; of a LoRA also its base and its keyword."""

    title = forms.CharField(label=_("Title"), max_length=120)
    name = forms.SlugField(
        label=_("Name"),
        max_length=60,
        help_text=_("The last part of the address: small letters, digits and hyphens."),
    )
    author = forms.CharField(
        label=_("Who made it"), max_length=120, help_text=_("They are named wherever the model is shown.")
    )
    source_url = forms.URLField(
        label=_("Where it comes from"),
        required=False,
        assume_scheme="https",
        help_text=_("Its page, so that others can look it up. Nothing is fetched from it."),
    )
    licence = forms.ModelChoiceField(
        label=_("Licence"),
        queryset=Licence.objects.filter(is_offered=True),
        help_text=_("As its author gives it. It decides what may be done with the model and its images."),
    )
    base = BaseChoiceField(label=_("Base"), queryset=ModelVersion.objects.none())
    keyword = forms.CharField(
        label=_("Keyword"),
        max_length=60,
        required=False,
        help_text=_("The word in a prompt that brings it out, where it has one."),
    )

    def __init__(self, *args: Any, imported: ModelImport, **kwargs: Any) -> None:
        found = Found.from_json(imported.found)
        kwargs.setdefault("initial", _first_values(imported, found))
        super().__init__(*args, **kwargs)
        self._owner: User = imported.owner
        self._found = found
        if found.family == LORA:
            base = self.fields["base"]
            assert isinstance(base, forms.ModelChoiceField)
            base.queryset = bases_for(imported.owner, found)
        else:
            del self.fields["base"], self.fields["keyword"]

    def clean_title(self) -> str:
        """Refuse what would break a line or a file name."""
        return _one_line(self.cleaned_data["title"])

    def clean_author(self) -> str:
        """As the title."""
        return _one_line(self.cleaned_data["author"])

    def clean_keyword(self) -> str:
        """As the title."""
        return _one_line(self.cleaned_data["keyword"])

    def clean_name(self) -> str:
        """Addresses are in small letters and the owner's own."""
        name: str = self.cleaned_data["name"].lower()
        try:
            check_name_free(owner=self._owner, name=name)
        except NameTakenError as error:
            raise ValidationError(str(error.message)) from error
        return name

    def clean_licence(self) -> Licence:
        """Refuse a licence that gives more than the one that the file itself states."""
        chosen: Licence = self.cleaned_data["licence"]
        told = Licence.objects.filter(slug=self._found.licence).first() if self._found.licence else None
        if told is not None and gives_more(chosen, told):
            raise ValidationError(
                _("The file says %(told)s, which allows less than %(chosen)s. Choose %(told)s."),
                params={"told": told.name, "chosen": chosen.name},
            )
        return chosen


def gives_more(chosen: Licence, told: Licence) -> bool:
    """Whether a licence allows something that the other one does not."""
    return (
        (chosen.outputs_commercial and not told.outputs_commercial)
        or (chosen.derivatives and not told.derivatives)
        or not set(chosen.permissions) <= set(told.permissions)
    )


def bases_for(owner: User, found: Found) -> Any:
    """The bases on which a LoRA may work: of its kind, as far as it tells; its own one first."""
    bases = base_models(owner)
    if found.base_kind:
        bases = bases.filter(manifest__kind=found.base_kind)
    return bases


def _first_values(imported: ModelImport, found: Found) -> dict[str, Any]:
    values: dict[str, Any] = {
        "title": found.title,
        "name": suggest_names(owner=imported.owner, wanted=slugify(found.title) or "model", count=1)[0],
        "author": found.author,
        "source_url": found.source_url,
        "licence": found.licence or None,
        "keyword": found.keyword,
    }
    if found.family == LORA:
        bases = bases_for(imported.owner, found)
        own = bases.filter(manifest__fingerprint=found.base_fingerprint).first()
        values["base"] = (own or bases.first() or ModelVersion()).pk if bases.exists() else None
    return values


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    if not line.isprintable():
        raise ValidationError(_("This holds signs that cannot be shown. Type it again."))
    return line
