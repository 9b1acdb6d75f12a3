"""What a walk is made of, besides its points."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from engines.errors import ConfigError
from engines.stylegan.points import TRUNCATION, Point
from engines.stylegan.walking import Walk
from generation.exceptions import WalkRefusedError
from generation.explore.walks import FORMATS, judge_format

_SLIDER = {"data-slider": ""}


class WalkForm(forms.Form):
    """Pace, way and format. What is left out of a link is as it usually is."""

    DEFAULTS: ClassVar[dict[str, str]] = {
        "seconds": "2",
        "fps": "24",
        "easing": "smooth",
        "space": "w",
        "truncation": "0.8",
        "format": "mp4",
    }

    seconds = forms.FloatField(
        label=_("Seconds from point to point"),
        # The ends of the slider; more can be typed, and `Walk` judges it.
        widget=forms.NumberInput(attrs={**_SLIDER, "min": 0.5, "max": 10, "step": 0.1}),
    )
    fps = forms.IntegerField(label=_("Frames a second"), min_value=1, max_value=60)
    loop = forms.BooleanField(label=_("Go back to the first point at the end"), required=False)
    easing = forms.ChoiceField(
        label=_("Pace"),
        choices=[("smooth", _("Slow down at each point")), ("linear", _("Always the same"))],
    )
    space = forms.ChoiceField(
        label=_("Way"),
        choices=[("w", _("Straight, in W")), ("z", _("Along a great circle, in Z"))],
        help_text=_("In W it stays close to the points. In Z it shows more on the way; points need a seed."),
    )
    truncation = forms.FloatField(
        label=_("Truncation"),
        min_value=TRUNCATION[0],
        max_value=TRUNCATION[1],
        widget=forms.NumberInput(attrs={**_SLIDER, "step": 0.05}),
        help_text=_("Of a way in Z. Low: typical and alike."),
    )
    format = forms.ChoiceField(label=_("File"), choices=list(FORMATS.items()))
    title = forms.CharField(label=_("Name"), max_length=80, required=False)

    def __init__(self, data: dict[str, Any], *, points: Sequence[Point]) -> None:
        super().__init__({**self.DEFAULTS, **data})
        self._points = tuple(points)
        self.walk: Walk | None = None

    def clean_title(self) -> str:
        """One line."""
        title = " ".join(str(self.cleaned_data["title"]).split())
        if not title.isprintable():
            raise ValidationError(_("The name holds signs that cannot be shown. Type it again."))
        return title

    def clean(self) -> dict[str, Any]:
        """Make the walk, judged as the engine judges it; with fewer than two points there is none yet."""
        values = super().clean() or self.cleaned_data
        if self.errors or len(self._points) < 2:
            return values
        told = {name: values[name] for name in ("seconds", "fps", "loop", "easing", "space", "truncation")}
        try:
            self.walk = Walk(points=self._points, **told)
            judge_format(self.walk, values["format"])
        except (ConfigError, WalkRefusedError) as error:
            raise ValidationError(str(error)) from error
        return values

    @property
    def told(self) -> dict[str, str]:
        """What stands in the form, without what is as usual: for an address."""
        found = {name: str(self.data[name]) for name in self.fields if self.data.get(name)}
        return {name: text for name, text in found.items() if text != self.DEFAULTS.get(name, "")}
