"""What one sees of a map: which map, where on it, how near. It stands in the page's address, to be shared."""

import json
import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.generators import Network
from engines.errors import ConfigError
from engines.stylegan.points import DISTANCE, LatentMap, MapPlace, Point, Seed, Tile, parse_map, parse_point
from generation.exceptions import LookRefusedError
from generation.explore.looks import check_shown
from generation.explore.points import points_shown_to

# Finer steps of a slider show no difference, and every other map is made anew.
TRUNCATION_STEP = 0.05
DISTANCE_STEP = 1 / 64
# What the sliders reach; addresses may ask for all that the engine takes.
SLIDER_TRUNCATION = (0.0, 1.5)
DISTANCES = (0.0625, 0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
# Directions that are offered as axes: further ones change little.
AXES = 8
MAX_TEXT = 6000
# Beyond this column or row no page begins; it takes weeks to get there.
REACH = 2**30
# Of the grid without JavaScript.
COLUMNS, ROWS = 9, 7


@dataclass(frozen=True, kw_only=True)
class View:
    """A map and the tile in its middle."""

    map: LatentMap = field(default_factory=LatentMap)
    tile: Tile = field(default_factory=lambda: Tile(x=0, y=0))
    # The saved point in the middle of the map, where the centre is one: it stands in the address instead.
    saved: uuid.UUID | None = None

    def query(self) -> str:
        """The query string that opens it; "" for the map that everybody sees first."""
        plain, shown = LatentMap(), self.map
        values: dict[str, Any] = {}
        if shown.seed != plain.seed:
            values["seed"] = shown.seed
        if shown.truncation != plain.truncation:
            values["t"] = f"{shown.truncation:g}"
        if shown.distance != plain.distance:
            values["d"] = f"{shown.distance:g}"
        if shown.axes is not None:
            values["ax"], values["ay"] = shown.axes
        if self.saved is not None:
            values["point"] = self.saved
        elif shown.centre is not None:
            values["centre"] = json.dumps(shown.centre.as_json(), separators=(",", ":"))
        values |= {name: number for name, number in zip("xyz", self.place, strict=True) if number}
        return urlencode(values, safe=',:{}[]"')

    def moved(self, columns: int, rows: int) -> "View":
        """The same map so many tiles further."""
        x, y, zoom = self.place
        return replace(self, tile=Tile(x=x + columns, y=y + rows, zoom=zoom))

    def zoomed(self, levels: int) -> "View":
        """The same place so many levels nearer. Raises ConfigError beyond the last level."""
        x, y, zoom = self.place
        place = [math.floor(math.ldexp(number, levels)) for number in (x, y)]
        return replace(self, tile=Tile(x=place[0], y=place[1], zoom=zoom + levels))

    def tiles(self) -> list[Tile]:
        """The tiles of the grid that a page comes with, row by row."""
        x, y, zoom = self.place
        return [
            Tile(x=x + column, y=y + row, zoom=zoom)
            for row in range(-(ROWS // 2), ROWS // 2 + 1)
            for column in range(-(COLUMNS // 2), COLUMNS // 2 + 1)
        ]

    def centred_on(self, tile: Tile) -> "View":
        """The map with this tile in its middle: what resembles it lies around it. Raises ConfigError."""
        if (tile.x, tile.y) == (0, 0):
            return replace(self, tile=Tile(x=0, y=0))
        centre: Point = MapPlace(map=self.map, tile=tile.coarsest())
        return View(map=replace(self.map, centre=centre), tile=Tile(x=0, y=0))

    @property
    def place(self) -> tuple[int, int, int]:
        """Column, row and zoom of the tile in the middle."""
        return self.tile.x, self.tile.y, self.tile.zoom


def read_view(values: Mapping[str, str], network: Network, viewer: User | AnonymousUser) -> tuple[View, str]:
    """Read an address. Return the view and "", or the map that everybody sees first and what is wrong."""
    try:
        view = _read_view(values, viewer)
        check_shown(network, view.map)
    except (ConfigError, LookRefusedError) as error:
        return View(), str(error)
    except (ValueError, TypeError, RecursionError):
        return View(), _("This address of a map cannot be read. Here is the map from its middle.")
    return view, ""


def read_map(value: Any) -> LatentMap:
    """Read a map that a page has sent, its numbers in the steps of the sliders. Raises ConfigError."""
    return _tidy(parse_map(value))


def _read_view(values: Mapping[str, str], viewer: User | AnonymousUser) -> View:
    plain = LatentMap()
    centre, saved = _read_centre(values, viewer)
    latent_map = LatentMap(
        seed=int(values.get("seed", plain.seed)),
        truncation=float(values.get("t", plain.truncation)),
        distance=float(values.get("d", plain.distance)),
        axes=_read_axes(values.get("ax", ""), values.get("ay", "")),
        centre=centre,
    )
    x, y, zoom = (int(values.get(name, 0)) for name in "xyz")
    if max(abs(x), abs(y)) > REACH:
        raise LookRefusedError(_("The map goes on there, but pages do not. Here it is from its middle."))
    return View(map=_tidy(latent_map), tile=Tile(x=x, y=y, zoom=zoom), saved=saved)


def _read_centre(
    values: Mapping[str, str], viewer: User | AnonymousUser
) -> tuple[Point | None, uuid.UUID | None]:
    """What stands in the middle: a saved point, a point as it is, or "seed:<number>"."""
    if number := values.get("point"):
        pk = uuid.UUID(number)
        saved = points_shown_to(viewer).filter(pk=pk).first()
        if saved is None:
            raise LookRefusedError(_("The point of this address is not there any more. Choose another one."))
        return parse_point(saved.point), pk
    text = values.get("centre", "")
    if not text:
        return None, None
    if len(text) > MAX_TEXT:
        raise LookRefusedError(_("This address is too long. Pin the point, then open the map from there."))
    if text.startswith("seed:"):
        return Seed(seed=int(text.removeprefix("seed:")), truncation=LatentMap().truncation), None
    return parse_point(json.loads(text)), None


def _tidy(latent_map: LatentMap) -> LatentMap:
    """The same map with its numbers in the steps of the sliders, so that pictures are made once for all."""
    distance = max(DISTANCE[0], round(latent_map.distance / DISTANCE_STEP) * DISTANCE_STEP)
    truncation = round(round(latent_map.truncation / TRUNCATION_STEP) * TRUNCATION_STEP, 2)
    return replace(latent_map, distance=distance, truncation=truncation)


def _read_axes(right: str, down: str) -> tuple[int, int] | None:
    """The two axes; where one is not chosen, or both are the same, the strongest other one is the second."""
    if not right and not down:
        return None
    first = int(right) if right else (1 if int(down) == 0 else 0)
    second = int(down) if down else first
    return first, second if second != first else (1 if first == 0 else 0)
