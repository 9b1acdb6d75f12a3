"""Forms that choose how pictures are cut."""

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from engines.crops import Box
from training.crops import HAND, RESOLUTIONS, WAYS, boxes_in_force, least_side, own_box, square
from training.exceptions import BoxRefused
from training.models import Crop, Dataset, DatasetImage

_UNKNOWN = {"invalid_choice": _("There is no such way of cutting. Choose one of these.")}


def _sizes() -> list[tuple[str, str]]:
    return [(str(side), f"{side} × {side}") for side in RESOLUTIONS]


class PreviewSizeForm(forms.Form):
    """At how many pixels a preview is shown; it changes nothing that is kept."""

    resolution = forms.TypedChoiceField(
        label=_("Shown at"),
        coerce=int,
        choices=_sizes,
        initial=RESOLUTIONS[0],
        required=False,
        error_messages={"invalid_choice": _("There is no preview of this size. Choose one of these.")},
    )

    def clean_resolution(self) -> int:
        """The smallest where none is asked for."""
        return int(self.cleaned_data["resolution"] or RESOLUTIONS[0])


class DatasetCropForm(PreviewSizeForm):
    """How the pictures of a dataset are cut."""

    crop = forms.ChoiceField(
        label=_("How pictures become squares"), choices=Crop.choices, error_messages=_UNKNOWN
    )


class BatchCropForm(forms.Form):
    """One way of cutting for some pictures; left empty, they follow their dataset."""

    crop = forms.ChoiceField(
        label=_("Cut the selected pictures"),
        choices=[("", _("As all pictures are")), *Crop.choices],
        required=False,
        error_messages=_UNKNOWN,
    )


class CutForm(PreviewSizeForm):
    """One picture's cut: a crop, or a box by hand, which `box` holds once the form is valid; "" as it is."""

    crop = forms.ChoiceField(
        label=_("How it becomes a square"), choices=WAYS, required=False, error_messages=_UNKNOWN
    )
    left = forms.IntegerField(label=_("Left"), required=False)
    upper = forms.IntegerField(label=_("Top"), required=False)
    side = forms.IntegerField(label=_("Side"), required=False)

    def __init__(self, *args: Any, picture: DatasetImage, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._picture = picture
        self.box: Box | None = None

    def clean(self) -> dict[str, Any]:
        """Judge the box, where there is one."""
        cleaned = self.cleaned_data
        if cleaned.get("crop") == HAND and not self.errors:
            self._judge_box(cleaned)
        return cleaned

    def _judge_box(self, cleaned: dict[str, Any]) -> None:
        missing = [name for name in ("left", "upper", "side") if cleaned[name] is None]
        for name in missing:
            self.add_error(name, _("Give a number of pixels."))
        if missing:
            return
        try:
            self.box = square(self._picture, cleaned["left"], cleaned["upper"], cleaned["side"])
        except BoxRefused as error:
            self.add_error(error.field, str(error))


class PictureCropForm(CutForm):
    """How one picture of a dataset is to be cut from now on; "" as all are."""

    def __init__(self, *args: Any, picture: DatasetImage, dataset: Dataset, **kwargs: Any) -> None:
        super().__init__(*args, picture=picture, initial=_as_it_is(picture, dataset), **kwargs)
        follow = gettext("As all pictures are: %(crop)s") % {"crop": dataset.get_crop_display()}
        self.ways = [("", follow), *WAYS]
        # They begin filled in, and the page's script keeps them so.
        for name in ("left", "upper", "side"):
            self.fields[name].required = True


def _as_it_is(picture: DatasetImage, dataset: Dataset) -> dict[str, Any]:
    """The form's values as things stand; its box begins with what is cut now, made a square inside."""
    left, upper, right, lower = boxes_in_force(picture, dataset.crop)[0]
    side = max(least_side(picture), min(right - left, lower - upper, picture.width, picture.height))
    return {
        "crop": HAND if own_box(picture) else picture.crop,
        "left": min(max((left + right - side) // 2, 0), picture.width - side),
        "upper": min(max((upper + lower - side) // 2, 0), picture.height - side),
        "side": side,
        "resolution": RESOLUTIONS[0],
    }
