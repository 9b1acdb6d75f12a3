"""What pictures from text start from: the part of the form about a picture, a mask and how much to change."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import IO, Any, TypeVar
from uuid import UUID

from django import forms
from django.core.files.storage import default_storage
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from catalog.runs import find_source
from engines.provenance import Provenance
from generation.exceptions import StartRefusedError
from generation.forms import sentence
from generation.models import Generation, Picture
from generation.orders import Start
from generation.starts import read_mask, read_start, record_of

DEFAULT_STRENGTH = 0.6
T = TypeVar("T")


def number_between(low: float, high: float) -> dict[str, Any]:
    """Return one sentence for everything that can be wrong with a number."""
    return sentence(_("Choose a number from {low} to {high}."), low=low, high=high)


def slider(step: str) -> forms.NumberInput:
    """Return the widget of a number that is slid to."""
    return forms.NumberInput(attrs={"step": step, "data-slider": ""})


class StartForm(forms.Form):
    """A picture from one's own disk, the gallery or an earlier order; a mask; how much to change."""

    strength = forms.FloatField(
        label=_("How much to change"),
        min_value=0.05,
        max_value=1,
        initial=DEFAULT_STRENGTH,
        required=False,
        widget=slider("0.05"),
        error_messages=number_between(0.05, 1),
        help_text=_("Low keeps the picture, 1 forgets it."),
    )
    source = forms.FileField(
        label=_("A picture of yours"),
        required=False,
        widget=forms.FileInput(attrs={"accept": "image/*"}),
        help_text=_("It is cut to the ratio above. Only you see it."),
    )
    mask = forms.FileField(
        label=_("Mask"),
        required=False,
        widget=forms.FileInput(attrs={"accept": "image/*"}),
        help_text=_("A picture of the same shape: white is made anew, black stays."),
    )
    picture = forms.UUIDField(required=False)
    kept = forms.UUIDField(required=False)
    # A picture from elsewhere in the studio, as `catalog.runs.find_source` reads it: of a run of a model.
    sent = forms.CharField(max_length=80, required=False)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._user = user

    def said(self, name: str) -> str:
        """Return what was sent or linked for a field, before it is checked."""
        values: Mapping[str, Any] = self.data if self.is_bound else self.initial
        return str(values.get(name) or "").replace("\0", "")

    @cached_property
    def chosen_picture(self) -> Picture | None:
        """The gallery picture that is asked for to start from, if it is the user's."""
        key = _uuid(self.said("picture"))
        pictures = Picture.objects.owned_by(self._user).select_related("generation")
        return pictures.filter(pk=key).first() if key else None

    @cached_property
    def kept_order(self) -> Generation | None:
        """The earlier order whose picture and mask are asked for again, if it is the user's."""
        key = _uuid(self.said("kept"))
        orders = Generation.objects.owned_by(self._user).exclude(source_file="")
        return orders.filter(pk=key).first() if key else None

    @cached_property
    def sent_key(self) -> str | None:
        """The stored picture that was sent here from elsewhere, if it is the user's."""
        told = self.said("sent")
        return find_source(self._user, told) if told else None

    def start_of(self, size: tuple[int, int]) -> Start | None:
        """Return what the pictures start from, cut to `size`; None where they start from nothing.

        What is wrong with it is said beside its field, and None returned.
        """
        width, height = size
        field = "source"
        try:
            image = self.read_picture(lambda file: read_start(file, width, height))
            field = "mask"
            mask = self._read_mask(lambda file: read_mask(file, width, height))
        except StartRefusedError as error:
            self.add_error(field, str(error))
            return None
        if image is not None:
            return Start(image=image, mask=mask, picture=self.start_picture, record=self._start_record())
        if mask is not None:
            self.add_error(
                "mask", _now("Choose the picture that the mask belongs to, or leave the mask out.")
            )
        return None

    @property
    def start_picture(self) -> Picture | None:
        """The gallery picture to start from, unless a file was sent."""
        return None if self.cleaned_data["source"] else self.chosen_picture

    def read_picture(self, read: Callable[[IO[bytes]], T]) -> T | None:
        """Return what `read` makes of the picture to start from, None where there is none.

        Raises StartRefusedError.
        """
        if self.cleaned_data["source"]:
            return read(self.cleaned_data["source"])
        if self.said("picture") and self.chosen_picture is None:
            raise _gone()
        if self.said("sent") and self.sent_key is None:
            raise _gone()
        key = self.chosen_picture.file if self.chosen_picture else self.sent_key or self._kept("source_file")
        return _stored(key, read)

    def _start_record(self) -> Provenance | None:
        """What the picture to start from says of its making; of an earlier order's, what that one knew."""
        is_another = self.cleaned_data["source"] or self.chosen_picture or self.sent_key
        if is_another or self.kept_order is None:
            return self.read_picture(record_of)
        told = self.kept_order.settings
        return Provenance(credit=told.get("owed_credit", ""), licence=told.get("owed_licence", ""))

    def _read_mask(self, read: Callable[[IO[bytes]], T]) -> T | None:
        if self.cleaned_data["mask"]:
            return read(self.cleaned_data["mask"])
        is_of_another = self.cleaned_data["source"] or self.chosen_picture or self.sent_key
        return None if is_of_another else _stored(self._kept("mask_file"), read)

    def _kept(self, name: str) -> str:
        return str(getattr(self.kept_order, name)) if self.kept_order else ""


def _stored(key: str, read: Callable[[IO[bytes]], T]) -> T | None:
    if not key:
        return None
    try:
        with default_storage.open(key) as file:
            return read(file)
    except FileNotFoundError as error:
        raise _gone() from error


def _gone() -> StartRefusedError:
    return StartRefusedError(_now("The picture to start from is gone. Choose another one."))


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
