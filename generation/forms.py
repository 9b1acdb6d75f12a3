"""The form that orders pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from catalog.models import ModelVersion
from catalog.selectors import find_runnable
from generation.models import Generation
from generation.seeds import MAX_COUNT, MAX_SEED, format_seeds, new_first_seed, parse_seeds

DEFAULT_COUNT = 16
# What a training's grids show. Where pictures come in kinds (bearded or not), less mixes two of them.
DEFAULT_TRUNCATION = 1.0
MAX_TRUNCATION = 1.5


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a valid form asks for."""

    version: ModelVersion
    seeds: Sequence[int]
    truncation_psi: float


def sentence(text: Any, **values: object) -> dict[str, Any]:
    """Return one sentence for everything that can be wrong with a number, translated when it is shown."""
    return dict.fromkeys(("required", "invalid", "min_value", "max_value"), format_lazy(text, **values))


class GenerateForm(forms.Form):
    """Which model, how many pictures, how daring."""

    model = forms.CharField(
        label=_("Model"), max_length=120, error_messages=sentence(_("Choose one of the models shown."))
    )
    count = forms.IntegerField(
        label=_("How many images"),
        min_value=1,
        max_value=MAX_COUNT,
        initial=DEFAULT_COUNT,
        error_messages=sentence(_("Choose a whole number from 1 to {max}."), max=MAX_COUNT),
    )
    first_seed = forms.IntegerField(
        label=_("First seed"),
        min_value=0,
        max_value=MAX_SEED,
        required=False,
        error_messages=sentence(_("A seed is a whole number from 0 to {max}."), max=MAX_SEED),
        help_text=_("A seed is the number an image grows from. Leave it empty for new images each time."),
    )
    seeds = forms.CharField(
        label=_("Seeds one by one"),
        max_length=1000,
        required=False,
        help_text=_("For example 3, 8, 20-31. This wins over the number and the first seed."),
    )
    truncation_psi = forms.FloatField(
        label=_("Truncation"),
        min_value=0,
        max_value=MAX_TRUNCATION,
        initial=DEFAULT_TRUNCATION,
        widget=forms.NumberInput(attrs={"step": "0.05", "data-slider": ""}),
        error_messages=sentence(_("Choose a number from 0 to {max}."), max=MAX_TRUNCATION),
        help_text=_("Low: safe and alike. 1: all that the model has learned. Higher: daring, often broken."),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._user = user

    def clean_model(self) -> ModelVersion:
        """Accept a model that the user may run."""
        version = find_runnable(self._user, self.cleaned_data["model"].replace("\0", ""))
        if version is None:
            raise ValidationError(_("You cannot use this model. Choose one of those shown."))
        return version

    def clean_seeds(self) -> list[int]:
        """Read the list, which may be empty."""
        text = self.cleaned_data["seeds"].strip()
        if not text:
            return []
        try:
            return parse_seeds(text)
        except ValueError as error:
            raise ValidationError(str(error)) from error

    def clean(self) -> dict[str, Any]:
        """Turn number and first seed into a list where no list is given."""
        values = super().clean() or self.cleaned_data
        if values.get("seeds") or not {"count", "first_seed", "seeds"} <= values.keys():
            return values
        count, first = values["count"], values["first_seed"]
        if first is None:
            first = new_first_seed()
        if first + count - 1 > MAX_SEED:
            self.add_error("first_seed", _("The last seed would be too large. Choose a smaller first seed."))
        values["seeds"] = list(range(first, first + count))
        return values

    def order(self) -> Order:
        """Return what is ordered, once the form is valid."""
        return Order(
            version=self.cleaned_data["model"],
            seeds=self.cleaned_data["seeds"],
            truncation_psi=self.cleaned_data["truncation_psi"],
        )


def seed_values(generation: Generation, seeds: Sequence[int] | None = None) -> dict[str, str]:
    """Return the query that puts an order's settings (or some of its seeds) back into the form."""
    version = generation.model_version
    return {
        "model": version.model.address if version else "",
        "seeds": format_seeds(generation.seeds if seeds is None else seeds),
        "truncation_psi": f"{generation.truncation_psi:g}",
    }
