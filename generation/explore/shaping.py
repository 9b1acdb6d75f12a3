"""Changing a point on its page: sliders along principal directions, and layers taken from a second point."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.functional import cached_property
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from catalog.generators import Network
from engines.errors import ConfigError
from engines.stylegan.layers import Bands
from engines.stylegan.points import Mix, Move, Moved, Point
from generation.exceptions import PointRefusedError
from generation.explore.points import bands_of, count_directions, parse
from generation.forms import sentence
from generation.models import SavedPoint

# How many directions have a slider, and how far it goes, in standard deviations: up to three pictures stay
# plausible.
SLIDERS = 8
REACH = 3.0
SHARES = ("coarse", "middle", "fine")
ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Slider:
    """A direction with its field; `ends` are the points at its two ends, where nothing else is moved.

    `usual` is what it is called without a name, `given` the name that the model's owner gave it, or "".
    """

    number: int
    usual: str
    given: str
    field: forms.BoundField
    ends: tuple[Point, Point]


class ShapeForm(forms.Form):
    """How far along which direction, in which layers, and how much of a second point."""

    layers = forms.ChoiceField(
        label=_("Move"),
        required=False,
        choices=[
            (ALL, _("everything")),
            ("coarse", _("coarse layers: pose and shape")),
            ("middle", _("middle layers: features")),
            ("fine", _("fine layers: colours and texture")),
        ],
    )
    mix = forms.UUIDField(required=False)
    coarse, middle, fine = (
        forms.FloatField(
            label=label,
            min_value=0,
            max_value=1,
            required=False,
            widget=forms.NumberInput(attrs={"step": "0.05", "data-slider": ""}),
            error_messages=sentence(_("Choose a number from {low} to {high}."), low=0, high=1),
        )
        for label in (_("Coarse: pose and shape"), _("Middle: features"), _("Fine: colours and texture"))
    )

    def __init__(
        self,
        data: Mapping[str, Any],
        *,
        base: Point,
        network: Network,
        names: Mapping[int, str],
        others: Sequence[SavedPoint],
    ) -> None:
        """Fill the form from a link.

        `base` is the point that is changed, where nothing in `data` says otherwise; `names` are those of the
        directions that have one, `others` the points that it may be mixed with.
        """
        bands, count = bands_of(network.info), count_directions(network.info)
        start, initial = taken_apart(base, bands)
        moves = [f"move_{number}" for number in range(min(SLIDERS, count))]
        # What the fields say where the point is shown as it was pinned.
        self.plain = {**dict.fromkeys((*moves, *SHARES), "0"), "layers": ALL, "mix": "", **initial}
        super().__init__({**self.plain, **data}, auto_id="shape-%s")
        self._start, self._bands, self._names, self._others = start, bands, names, others
        self._moves = moves
        for number, name in enumerate(self._moves):
            self.fields[name] = forms.FloatField(
                label=names.get(number) or usual_name(number),
                min_value=-REACH,
                max_value=REACH,
                required=False,
                widget=forms.NumberInput(attrs={"step": "0.1", "data-slider": ""}),
                error_messages=sentence(_("Choose a number from {low} to {high}."), low=-REACH, high=REACH),
            )

    @cached_property
    def other(self) -> SavedPoint | None:
        """The second point, if one is chosen."""
        wanted = self.cleaned_data.get("mix")
        return next((one for one in self._others if one.pk == wanted), None)

    def shape(self) -> Point:
        """Return the point that the valid form asks for. Raises PointRefusedError with the plain reason."""
        try:
            return self._moved(
                self._mixed(), {name: self.cleaned_data.get(name) or 0.0 for name in self._moves}
            )
        except ConfigError as error:
            raise PointRefusedError(str(error)) from error

    def sliders(self) -> Iterator[Slider]:
        """Yield the directions in their order."""
        for number, name in enumerate(self._moves):
            low, high = (self._moved(self._start, {name: side}) for side in (-REACH, REACH))
            yield Slider(
                number=number,
                usual=usual_name(number),
                given=self._names.get(number, ""),
                field=self[name],
                ends=(low, high),
            )

    def shares(self) -> list[forms.BoundField]:
        """Return the fields that say how much of each group of layers the second point gives."""
        return [self[name] for name in SHARES]

    def _mixed(self) -> Point:
        shares = {name: self.cleaned_data.get(name) or 0.0 for name in SHARES}
        if self.other is None or not any(shares.values()):
            return self._start
        return Mix(first=self._start, second=parse(self.other), **shares)

    def _moved(self, point: Point, strengths: Mapping[str, float]) -> Point:
        chosen = self.cleaned_data.get("layers") if self.is_valid() else ALL
        first, last = _ranges(self._bands)[chosen or ALL]
        moves = [
            Move(direction=int(name.removeprefix("move_")), strength=strength, first=first, last=last)
            for name, strength in strengths.items()
            if strength
        ]
        return Moved(point=point, moves=tuple(moves)) if moves else point


def taken_apart(point: Point, bands: Bands) -> tuple[Point, dict[str, Any]]:
    """Return what a point was before it was moved and the values of the sliders that move it there.

    A point that sliders cannot show as it is, is its own beginning.
    """
    if not isinstance(point, Moved):
        return point, {}
    ways = {(move.first, move.last) for move in point.moves}
    numbers = [move.direction for move in point.moves]
    layers = [name for name, way in _ranges(bands).items() if ways == {way}]
    is_within = all(move.direction < SLIDERS and abs(move.strength) <= REACH for move in point.moves)
    if not layers or not is_within or len(set(numbers)) < len(numbers):
        return point, {}
    values = {f"move_{move.direction}": move.strength for move in point.moves}
    return point.point, {**values, "layers": layers[0]}


def _ranges(bands: Bands) -> dict[str, tuple[int, int | None]]:
    """The first and the last layer of each group; None: to the end."""
    return {
        ALL: (0, None),
        "coarse": (0, bands.coarse - 1),
        "middle": (bands.coarse, bands.middle - 1),
        "fine": (bands.middle, bands.total - 1),
    }


def usual_name(number: int) -> str:
    """Return what a direction without a name is called."""
    return str(format_lazy(_("Direction {number}"), number=number + 1))
