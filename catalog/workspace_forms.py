"""Forms of workspaces and their chains."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from catalog.models import ModelVersion, Workspace
from catalog.services.workspaces import MAX_STEPS


def _line(text: str) -> str:
    return " ".join(text.replace("\0", "").split())


class WorkspaceForm(forms.ModelForm[Workspace]):
    """What a workspace is called and is for."""

    class Meta:
        model = Workspace
        fields = ["name", "description"]

    def clean_name(self) -> str:
        """Keep it to one line."""
        return _line(self.cleaned_data["name"])

    def _post_clean(self) -> None:
        """Leave the row alone: the service writes it."""


class ChainForm(forms.Form):
    """What a chain is called, and the models of its steps: empty ones at the end are left out."""

    name = forms.CharField(label=_("Name"), max_length=80)

    def __init__(self, *args: Any, versions: list[ModelVersion], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._by_address = {version.model.address: version for version in versions}
        choices = [(address, version.model.title) for address, version in self._by_address.items()]
        for place in range(MAX_STEPS):
            self.fields[f"step{place}"] = forms.ChoiceField(
                label=_("Step %(number)d") % {"number": place + 1},
                choices=[("", "—"), *choices],
                required=place == 0,
            )

    def clean_name(self) -> str:
        """Keep it to one line."""
        return _line(self.cleaned_data["name"])

    def versions(self) -> list[ModelVersion]:
        """Return the chosen models in their order, once the form is valid."""
        chosen = [self.cleaned_data.get(f"step{place}") for place in range(MAX_STEPS)]
        return [self._by_address[address] for address in chosen if address]

    def add_step_error(self, step: int, message: str) -> None:
        """Say what is wrong at the step that was refused, counted among the chosen ones."""
        chosen = [place for place in range(MAX_STEPS) if self.cleaned_data.get(f"step{place}")]
        self.add_error(f"step{chosen[step]}" if step < len(chosen) else None, message)
