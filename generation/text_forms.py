"""The form of Text to Image."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, TypeVar

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from catalog.models import ModelVersion
from catalog.selectors import base_models, find_base, find_trained, trained_models
from generation.exceptions import CannotUpscaleError, StartRefusedError
from generation.forms import sentence
from generation.models import PromptStyle
from generation.orders import Start, TextOrder
from generation.prompts import MAX_LENGTH, blocked_in
from generation.seeds import MAX_SEED, new_first_seed
from generation.sizes import RATIOS, SQUARE, resolutions, size_of
from generation.start_forms import DEFAULT_STRENGTH, StartForm, number_between, slider
from generation.starts import open_start, to_png
from generation.upscaling import DOUBLING, FACTORS, plan_upscale

DEFAULT_OUTPUTS = 4
MAX_GUIDANCE = 20
MAX_ADAPTER_STRENGTH = 2
# As many as fit a strip of thumbnails; others are reached from their own page.
MAX_MODELS_SHOWN = 48
T = TypeVar("T")
Versions = Sequence[ModelVersion]


class TextForm(StartForm):
    """What to draw, with which models, how large, how many, and from what."""

    base = forms.CharField(max_length=120, required=False)
    adapter = forms.CharField(max_length=120, required=False)
    prompt = forms.CharField(
        label=_("Prompt"),
        max_length=MAX_LENGTH,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={
            "required": _("Write what the images should show, then try again."),
            "max_length": _(
                "A prompt has at most %(limit_value)d characters; this one has %(show_value)d. Shorten it."
            ),
        },
    )
    negative_prompt = forms.CharField(
        label=_("Negative prompt"),
        max_length=MAX_LENGTH,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("What the images should not show."),
    )
    style = forms.ChoiceField(label=_("Style"), required=False)
    ratio = forms.ChoiceField(
        label=_("Ratio"), choices=[(name, name) for name in RATIOS], initial=SQUARE, required=False
    )
    resolution = forms.ChoiceField(label=_("Resolution"), required=False)
    count = forms.IntegerField(label=_("Images"), min_value=1, initial=DEFAULT_OUTPUTS)
    steps = forms.IntegerField(
        label=_("Steps"),
        min_value=1,
        required=False,
        help_text=_("More take longer and change less and less. Empty: what the base is made for."),
    )
    guidance = forms.FloatField(
        label=_("Guidance"),
        min_value=0,
        max_value=MAX_GUIDANCE,
        required=False,
        widget=forms.NumberInput(attrs={"step": "0.5"}),
        error_messages=number_between(0, MAX_GUIDANCE),
        help_text=_("How closely the prompt is followed. Empty: what the base is made for."),
    )
    seed = forms.IntegerField(
        label=_("Seed"),
        min_value=0,
        max_value=MAX_SEED,
        required=False,
        error_messages=sentence(_("A seed is a whole number from 0 to {max}."), max=MAX_SEED),
        help_text=_("The number an image grows from. Empty: new images each time."),
    )
    adapter_strength = forms.FloatField(
        label=_("Its strength"),
        min_value=0,
        max_value=MAX_ADAPTER_STRENGTH,
        initial=1,
        required=False,
        widget=slider("0.05"),
        error_messages=number_between(0, MAX_ADAPTER_STRENGTH),
        help_text=_("0 leaves it out, 1 is as it was trained, 2 overdoes it."),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, user=user, **kwargs)
        self._limit("count", settings.GENERATION_OUTPUTS_MAX)
        self._limit("steps", settings.GENERATION_STEPS_MAX)
        for name in ("prompt", "negative_prompt"):  # a browser would cut what is pasted, without a word
            del self.fields[name].widget.attrs["maxlength"]
        side = self.chosen_base.resolution if self.chosen_base else None
        sides = resolutions(side) if side else []
        self._choices("resolution", [(str(one), f"{one} px") for one in sides])
        # Asked for when the form is shown or a style was chosen.
        self._choices("style", lambda: [("", _("None")), *((one.slug, one.title) for one in self.styles)])

    def _limit(self, name: str, most: int) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.IntegerField)
        self.fields[name] = forms.IntegerField(
            label=field.label,
            min_value=1,
            max_value=most,
            initial=field.initial,
            required=field.required,
            help_text=field.help_text,
            error_messages=sentence(_("Choose a whole number from 1 to {max}."), max=most),
        )

    def _choices(
        self, name: str, choices: list[tuple[str, Any]] | Callable[[], list[tuple[str, Any]]]
    ) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices
        field.error_messages["invalid_choice"] = _("Choose one of those shown.")

    @cached_property
    def bases(self) -> list[ModelVersion]:
        """The bases to choose from."""
        return list(base_models(self._user)[:MAX_MODELS_SHOWN])

    @cached_property
    def trained(self) -> list[ModelVersion]:
        """The trained models to choose from: those that fit one of the bases."""
        marks = {base.manifest["fingerprint"] for base in self.bases}
        return list(
            trained_models(self._user).filter(manifest__base__fingerprint__in=marks)[:MAX_MODELS_SHOWN]
        )

    @cached_property
    def chosen_base(self) -> ModelVersion | None:
        """The base that is asked for; where none is, that of the trained model, else the first.

        A link to a base that is gone gets another one, an order for it gets none.
        """
        address = self.said("base")
        found = self._named(address, find_base, lambda: self.bases) if address else None
        if found is not None or (address and self.is_bound):
            return found
        adapter = self.chosen_adapter
        fitting = (base for base in self.bases if adapter is not None and fits(adapter, base))
        return next(fitting, None) or next(iter(self.bases), None)

    @cached_property
    def chosen_adapter(self) -> ModelVersion | None:
        """The trained model that is asked for, if the user may use it."""
        address = self.said("adapter")
        return self._named(address, find_trained, lambda: self.trained) if address else None

    def _named(
        self, address: str, find: Callable[[User, str], ModelVersion | None], shown: Callable[[], Versions]
    ) -> ModelVersion | None:
        """Return the version at an address. An order shows no list, so it is found without one."""
        listed = () if self.is_bound else shown()
        return next((one for one in listed if one.model.address == address), None) or find(
            self._user, address
        )

    @cached_property
    def styles(self) -> list[PromptStyle]:
        """The styles that are offered with the chosen base."""
        kind = self.chosen_base.manifest.get("kind", "") if self.chosen_base else ""
        return list(PromptStyle.objects.filter(Q(base_family="") | Q(base_family=kind), is_shown=True))

    @property
    def chosen_style(self) -> PromptStyle | None:
        """The style that is asked for, if it is offered."""
        slug = self.said("style")
        return next((style for style in self.styles if style.slug == slug), None) if slug else None

    @property
    def size_shown(self) -> tuple[int, int] | None:
        """Width and height in pixels of what the form asks for as it stands, None where that is not clear."""
        base, ratio = self.chosen_base, self.said("ratio") or SQUARE
        if base is None or not base.resolution or ratio not in RATIOS:
            return None
        asked = self.said("resolution")
        side = int(asked) if asked in map(str, resolutions(base.resolution)) else base.resolution
        return size_of(side, ratio, base.resolution)

    @property
    def names_unknown_model(self) -> bool:
        """Whether a model that is asked for is gone or not the user's to use."""
        base, adapter = self.said("base"), self.said("adapter")
        found = self.chosen_base.model.address if self.chosen_base else ""
        return bool(adapter and self.chosen_adapter is None) or bool(base and base != found)

    @property
    def is_refined(self) -> bool:
        """Whether one of the settings that are folded away is set, or wrong."""
        optional = ("negative_prompt", "steps", "guidance", "seed")
        is_wrong = self.is_bound and not self.errors.keys().isdisjoint(optional)
        return is_wrong or any(self.said(name) for name in optional)

    def clean_base(self) -> ModelVersion:
        """Accept a base that the user may use."""
        if self.chosen_base is None:
            raise ValidationError(_("You cannot use this base model. Choose one of those shown."))
        return self.chosen_base

    def clean_adapter(self) -> ModelVersion | None:
        """Accept a trained model that the user may use and that was made on the chosen base."""
        adapter, base = self.chosen_adapter, self.chosen_base
        if not self.cleaned_data["adapter"]:
            return None
        if adapter is None:
            raise ValidationError(_("This trained model is gone or not yours to use. Choose another one."))
        if base is not None and not fits(adapter, base):
            raise ValidationError(
                _("“%(model)s” was trained on “%(own)s”, not on “%(base)s”. Choose “%(own)s” as the base."),
                params={
                    "model": adapter.model.title,
                    "own": adapter.manifest["base"]["title"],
                    "base": base.model.title,
                },
            )
        return adapter

    def clean_prompt(self) -> str:
        """Refuse what this installation does not make."""
        prompt: str = self.cleaned_data["prompt"]
        blocked = blocked_in(prompt)
        if blocked:
            raise ValidationError(
                _("This studio makes no images of “%(word)s”. Write the prompt without it."),
                params={"word": blocked},
            )
        return prompt

    def clean(self) -> dict[str, Any]:
        """Read what the pictures start from, once their size is known."""
        values = super().clean() or self.cleaned_data
        if self.chosen_base is None:  # which sizes and styles there are is not known then
            for name in ("resolution", "style"):
                self.errors.pop(name, None)
        if {"base", "ratio", "resolution", "source", "mask"} <= values.keys():
            self._complete(values)
        return values

    def _complete(self, values: dict[str, Any]) -> None:
        side = values["base"].resolution
        values["size"] = size_of(int(values["resolution"] or side), values["ratio"] or SQUARE, side)
        values["start"] = self.start_of(values["size"])

    def order(self) -> TextOrder:
        """Return what is ordered, once the form is valid."""
        values = self.cleaned_data
        first = values["seed"]
        if first is None:
            first = new_first_seed()
        width, height = values["size"]
        return TextOrder(
            base=values["base"],
            adapter=values["adapter"],
            adapter_strength=_given(values["adapter_strength"], 1.0),
            prompt=values["prompt"],
            negative_prompt=values["negative_prompt"],
            style=self.chosen_style,
            ratio=values["ratio"] or SQUARE,
            resolution=int(values["resolution"] or values["base"].resolution),
            width=width,
            height=height,
            is_seed_chosen=values["seed"] is not None,
            seeds=[(first + number) % (MAX_SEED + 1) for number in range(values["count"])],
            steps=values["steps"],
            guidance=values["guidance"],
            start=values["start"],
            strength=_given(values["strength"], DEFAULT_STRENGTH),
        )


class UpscaleForm(TextForm):
    """The same form, sent to have its picture made larger: of the rest of it nothing counts."""

    factor = forms.ChoiceField(choices=[(str(factor), str(factor)) for factor in FACTORS], required=False)

    def clean(self) -> dict[str, Any]:
        """Plan the larger picture; what is wrong with the other fields is no matter here."""
        for name in self.errors.keys() - {"source", "factor"}:
            del self.errors[name]
        values: dict[str, Any] = self.cleaned_data
        if not self.errors:
            try:
                values |= self._plan(int(values["factor"] or DOUBLING))
            except (StartRefusedError, CannotUpscaleError) as error:
                self.add_error("source", str(error))
        return values

    def _plan(self, factor: int) -> dict[str, Any]:
        image = self.read_picture(open_start)
        if image is None:
            raise StartRefusedError(_now("Choose the picture that is to be made larger, then try again."))
        return {
            "upscale": plan_upscale(self._user, *image.size, factor),
            "start": Start(image=to_png(image), picture=self.start_picture),
        }


def fits(adapter: ModelVersion, base: ModelVersion) -> bool:
    """Whether a trained model was made on exactly this base's weights."""
    return bool(adapter.manifest["base"]["fingerprint"] == base.manifest["fingerprint"])


def _given(value: T | None, otherwise: T) -> T:
    return otherwise if value is None else value
