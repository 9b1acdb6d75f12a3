"""Which two models are mixed, how they are weighed, and what the model of them is called."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from catalog.forms import clean_title
from catalog.mixes import find_mixable, refusal_of, swap_choices
from catalog.models import ModelMix, ModelVersion
from engines.errors import ConfigError
from engines.stylegan.relatives import SHARPNESS, MixConfig

_ADDRESS = 200  # characters of owner/name


class PairForm(forms.Form):
    """Two models by their addresses."""

    first = forms.CharField(
        max_length=_ADDRESS,
        error_messages={"required": _("Choose the first model.")},
        widget=forms.HiddenInput,
    )
    second = forms.CharField(
        max_length=_ADDRESS,
        error_messages={"required": _("Choose the second model.")},
        widget=forms.HiddenInput,
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._user = user

    def clean_first(self) -> ModelVersion:
        """The version that the address stands for."""
        return self._find("first")

    def clean_second(self) -> ModelVersion:
        """As the first."""
        return self._find("second")

    def clean(self) -> dict[str, Any]:
        """Refuse two that do not fit, or that a licence keeps from being mixed, with the reason."""
        values = super().clean() or self.cleaned_data
        if "first" in values and "second" in values:
            refusal = refusal_of(values["first"], values["second"], self._user)
            if refusal:
                raise ValidationError(refusal)
        return values

    def _find(self, name: str) -> ModelVersion:
        version = find_mixable(self._user, self.cleaned_data[name])
        if version is None:
            raise ValidationError(_("There is no such model that you may use. Choose one of these."))
        return version


class WeightsForm(forms.Form):
    """How much the second model counts. The share is asked for in percent."""

    method = forms.ChoiceField(
        label=_("How"),
        choices=[("average", _("Average")), ("blend", _("Blend"))],
        widget=forms.RadioSelect,
    )
    share = forms.IntegerField(
        label=_("Share of the second model, percent"),
        min_value=0,
        max_value=100,
        widget=forms.NumberInput(attrs={"data-slider": ""}),
    )
    swap = forms.TypedChoiceField(label=_("Looks of the second from"), coerce=int)
    sharpness = forms.FloatField(
        label=_("Sharpness"),
        min_value=SHARPNESS[0],
        max_value=SHARPNESS[1],
        widget=forms.NumberInput(attrs={"data-slider": "", "step": 0.1}),
        help_text=_("How suddenly it changes over from one model to the other."),
    )

    def __init__(self, *args: Any, mix: ModelMix, **kwargs: Any) -> None:
        config = MixConfig(**mix.config)
        shown = {"method": config.method, "share": round(100 * config.share), "sharpness": config.sharpness}
        sides = swap_choices(mix.first.resolution or 0)
        shown["swap"] = config.swap if config.swap in sides else sides[len(sides) // 2]
        kwargs.setdefault("initial", shown)
        super().__init__(*args, **kwargs)
        swap = self.fields["swap"]
        assert isinstance(swap, forms.TypedChoiceField)
        swap.choices = [(side, _("%(side)d px") % {"side": side}) for side in sides]

    def clean(self) -> dict[str, Any]:
        """Judge the values as the engine does, and add the `config` that they make."""
        values = super().clean() or self.cleaned_data
        if not self.errors:
            told = {**values, "share": values["share"] / 100}
            try:
                values["config"] = MixConfig(**told)
            except ConfigError as error:
                raise ValidationError(str(error)) from error
        return values


class TitleForm(forms.Form):
    """What the model is called."""

    title = forms.CharField(label=_("Name of the model"), max_length=120)

    def clean_title(self) -> str:
        """One line."""
        return clean_title(self.cleaned_data["title"])
