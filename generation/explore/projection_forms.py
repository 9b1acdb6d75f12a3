"""The form that orders a projection: a photograph, the square of it, how long and how freely to search."""

from typing import Any, cast

import numpy as np
from django import forms
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from PIL import Image

from catalog.generators import Network
from engines.crops import Box, crop_boxes
from engines.errors import DatasetError
from engines.images import cut_square
from engines.stylegan.projecting import ProjectConfig, Space, check_picture
from generation.exceptions import StartRefusedError
from generation.forms import sentence
from generation.starts import MIN_SIDE, open_start, to_png

MIDDLE, HAND = "center", "hand"
MIN_STEPS, MAX_STEPS, DEFAULT_STEPS = 50, 1000, 300


class ProjectionForm(forms.Form):
    """What to look for, and how."""

    picture = forms.FileField(
        label=_("Photograph"),
        widget=forms.FileInput(attrs={"accept": "image/*", "data-photograph": ""}),
        error_messages={"required": _("Choose the photograph to look for.")},
        help_text=_("JPEG, PNG, WebP, HEIC, AVIF, TIFF or BMP. Only you see it."),
    )
    title = forms.CharField(label=_("Name"), max_length=80, required=False)
    crop = forms.ChoiceField(
        label=_("What of it"),
        choices=[(MIDDLE, _("The largest square in the middle")), (HAND, _("A box by hand"))],
        initial=MIDDLE,
        required=False,
    )
    left, upper, side = (
        forms.IntegerField(
            label=label,
            min_value=0,
            required=False,
            error_messages=sentence(_("Use whole pixels from 0 up.")),
        )
        for label in (_("Left"), _("Top"), _("Side"))
    )
    space = forms.ChoiceField(
        label=_("What matters more"),
        choices=[("w+", _("As near as possible")), ("w", _("Easy to move and to mix afterwards"))],
        initial="w+",
        widget=forms.RadioSelect,
        error_messages=dict.fromkeys(("required", "invalid_choice"), _("Choose one of the two.")),
    )
    steps = forms.IntegerField(
        label=_("Steps"),
        min_value=MIN_STEPS,
        max_value=MAX_STEPS,
        initial=DEFAULT_STEPS,
        widget=forms.NumberInput(attrs={"step": "50", "data-slider": ""}),
        error_messages=sentence(
            _("Choose a whole number from {low} to {high}."), low=MIN_STEPS, high=MAX_STEPS
        ),
        help_text=_("More of them come nearer; beyond 500 little changes."),
    )

    def __init__(self, *args: Any, network: Network, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._network = network
        self._target = b""

    def clean(self) -> dict[str, Any]:
        """Read the photograph and cut the square out of it; what is wrong with it stands beside it."""
        values: dict[str, Any] = super().clean() or {}
        if values.get("picture") is not None and not self.errors:
            try:
                self._target = self._cut(open_start(values["picture"]))
            except (StartRefusedError, DatasetError) as error:
                self.add_error("picture", str(error))
        return values

    def target(self) -> bytes:
        """Return the square of the valid form as a PNG of the model's size."""
        return self._target

    def config(self) -> ProjectConfig:
        """Return how the valid form wants it searched for."""
        space = cast("Space", self.cleaned_data["space"])
        return ProjectConfig(steps=self.cleaned_data["steps"], space=space)

    def title_or_name(self) -> str:
        """Return what the projection is called: as it was named, else as its file was."""
        named = str(self.cleaned_data["title"] or self.cleaned_data["picture"].name.rpartition(".")[0])
        return named.replace("\0", "").strip() or _now("Photograph")

    def _cut(self, image: Image.Image) -> bytes:
        """The square as a PNG. Raises StartRefusedError or DatasetError with the plain reason."""
        resolution = self._network.resolution
        square = cut_square(image, self._box(image), resolution)
        check_picture(np.asarray(square), resolution)
        return to_png(square)

    def _box(self, image: Image.Image) -> Box:
        left, upper, side = (self.cleaned_data.get(name) for name in ("left", "upper", "side"))
        if self.cleaned_data.get("crop") != HAND or None in {left, upper, side}:
            return crop_boxes(image.width, image.height, "center")[0]
        assert left is not None
        assert upper is not None
        assert side is not None
        if side < MIN_SIDE or left + side > image.width or upper + side > image.height:
            told = _now(
                "The box reaches beyond the picture or is smaller than %(side)d pixels. Draw it anew."
            )
            raise StartRefusedError(told % {"side": MIN_SIDE})
        return left, upper, left + side, upper + side
