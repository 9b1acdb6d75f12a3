"""Forms of the catalog."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from catalog.bases import found_folders
from catalog.exceptions import NameTakenError
from catalog.licences import OWN_WORK
from catalog.models import CatalogModel, Licence
from catalog.services import check_name_free


def clean_title(typed: str) -> str:
    """Return a title on one line. Raises ValidationError where it holds what cannot be shown."""
    title = " ".join(typed.split())
    if not title.isprintable():
        raise ValidationError(_("The title holds signs that cannot be shown. Type it again."))
    return title


class RenameForm(forms.ModelForm[CatalogModel]):
    """Title and address of a model."""

    class Meta:
        model = CatalogModel
        fields = ["title", "name"]
        help_texts = {
            "name": _("The last part of the address: small letters, digits and hyphens."),
        }

    def clean_title(self) -> str:
        """Refuse what would break a line or a file name."""
        return clean_title(self.cleaned_data["title"])

    def clean_name(self) -> str:
        """Addresses are in small letters and the owner's own."""
        name: str = self.cleaned_data["name"].lower()
        try:
            check_name_free(owner=self.instance.owner, name=name, other_than=self.instance)
        except NameTakenError as error:
            raise ValidationError(str(error.message)) from error
        return name

    def values(self) -> dict[str, Any]:
        """Return what `rename_model` takes."""
        return {"name": self.cleaned_data["name"], "title": self.cleaned_data["title"]}


class BaseForm(forms.Form):
    """Which folder of the server becomes a base, and what it is to be called."""

    folder = forms.ChoiceField(label=_("Folder"))
    title = forms.CharField(label=_("Title"), max_length=120)
    name = forms.SlugField(
        label=_("Name"),
        max_length=60,
        help_text=_("The last part of the address: small letters, digits and hyphens."),
    )
    licence = forms.ModelChoiceField(
        label=_("Licence of its weights"),
        queryset=Licence.objects.filter(is_offered=True).exclude(slug=OWN_WORK),
    )
    public = forms.BooleanField(
        label=_("Let everybody use it"), required=False, help_text=_("Otherwise only you can.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        folder = self.fields["folder"]
        assert isinstance(folder, forms.ChoiceField)
        folder.choices = [(name, name) for name in found_folders()]
