"""Points of a latent space as plain values, to be pinned, saved, shared and sent to a worker. No torch here.

A point says how to come to a picture, not what its latent is: a seed, a place on a map, the values of w
themselves, a mix of two other points by layer, or another point moved along directions. Seeds and places are
the same for every model, so that a point can be looked at in two snapshots; values of w belong to one model
and name it. `engines.stylegan.latent` turns points into latents.
"""

import base64
import binascii
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np

from engines.errors import ConfigError
from engines.images import FloatArray

MAP_VERSION = 1  # of the formula of maps; raise it when the same map shows other pictures
MAX_SEED = 2**32 - 1
TRUNCATION = (-1.0, 2.0)
DISTANCE = (1 / 64, 4.0)  # of neighbouring tiles, in lengths over which a map changes
ZOOM = (-6, 24)  # each level halves the steps between tiles
MAX_TILE = 2**31  # how far a map goes to each side
STRENGTH = 10.0  # standard deviations that a point can be moved along one direction
MAX_DIRECTION = 511
MAX_DEPTH = 8  # points within points
MAX_LAYERS, MAX_WIDTH = 64, 8192
MAX_VALUE = 1e4


@dataclass(frozen=True, kw_only=True)
class Seed:
    """The picture of a seed. Below 1, `truncation` trades variety for typicality (1812.04948, appendix B)."""

    kind: ClassVar[str] = "seed"
    seed: int
    truncation: float = 1.0

    def __post_init__(self) -> None:
        _check_whole("A seed", self.seed, 0, MAX_SEED)
        check_truncation(self.truncation)

    def as_json(self) -> dict[str, Any]:
        """A value that `parse_point` reads."""
        return {"kind": self.kind, "seed": self.seed, "truncation": self.truncation}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], _depth: int) -> Self:
        """The other way. Raises KeyError, TypeError or ConfigError."""
        return cls(seed=values["seed"], truncation=values.get("truncation", 1.0))


@dataclass(frozen=True, kw_only=True)
class Vector:
    """Values of w in a model: one row for all layers, or one for each (W+).

    `data` holds float32 `[rows, width]`, little-endian, in base64; `model` is the SHA-256 of the generator.
    """

    kind: ClassVar[str] = "vector"
    model: str
    rows: int
    width: int
    data: str

    def __post_init__(self) -> None:
        _check_whole("The number of rows", self.rows, 1, MAX_LAYERS)
        _check_whole("The width of w", self.width, 1, MAX_WIDTH)
        if len(self.model) != 64 or not set(self.model) <= set("0123456789abcdef"):
            raise ConfigError("A point with values of its own must name its model by SHA-256.")
        try:
            values = self.values
        except (binascii.Error, ValueError) as error:
            raise ConfigError("The values of this point cannot be read. Pin the point again.") from error
        if not (np.abs(values) <= MAX_VALUE).all():  # not a number compares as false
            raise ConfigError("The values of this point are not usable numbers. Pin the point again.")

    @classmethod
    def of(cls, values: FloatArray, *, model: str) -> Self:
        """The point of float `[rows, width]` in the model of this SHA-256."""
        rows, width = values.shape
        data = base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode("ascii")
        return cls(model=model, rows=rows, width=width, data=data)

    @property
    def values(self) -> FloatArray:
        """float32 `[rows, width]`."""
        flat = np.frombuffer(base64.b64decode(self.data, validate=True), "<f4")
        return flat.reshape(self.rows, self.width).astype(np.float32)

    def as_json(self) -> dict[str, Any]:
        """A value that `parse_point` reads."""
        return {
            "kind": self.kind,
            "model": self.model,
            "rows": self.rows,
            "width": self.width,
            "data": self.data,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any], _depth: int) -> Self:
        """The other way. Raises KeyError, TypeError or ConfigError."""
        return cls(**{name: values[name] for name in ("model", "rows", "width", "data")})


@dataclass(frozen=True, kw_only=True)
class Mix:
    """Two points mixed by layers (1812.04948, section 3.1): how much of `second` each group of layers takes.

    `coarse` layers decide pose and shape, `middle` ones features, `fine` ones colours and texture;
    `engines.stylegan.layers` says which are which. 0 is all of `first`, 1 all of `second`.
    """

    kind: ClassVar[str] = "mix"
    first: "Point"
    second: "Point"
    coarse: float = 0.0
    middle: float = 0.0
    fine: float = 0.0

    def __post_init__(self) -> None:
        for name in ("coarse", "middle", "fine"):
            _check_number(f"The share of {name} layers", getattr(self, name), 0.0, 1.0)
        _check_depth(self)

    def as_json(self) -> dict[str, Any]:
        """A value that `parse_point` reads."""
        shares = {"coarse": self.coarse, "middle": self.middle, "fine": self.fine}
        return {
            "kind": self.kind,
            "first": self.first.as_json(),
            "second": self.second.as_json(),
            **shares,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any], depth: int) -> Self:
        """The other way. Raises KeyError, TypeError or ConfigError."""
        first, second = (_parse(values[name], depth + 1) for name in ("first", "second"))
        shares = {name: values.get(name, 0.0) for name in ("coarse", "middle", "fine")}
        return cls(first=first, second=second, **shares)


@dataclass(frozen=True, kw_only=True)
class Move:
    """A slider: `strength` standard deviations along the principal direction of that number.

    Only layers from `first` to `last` (both included, counted from 0; None: to the end) are moved.
    """

    direction: int
    strength: float
    first: int = 0
    last: int | None = None

    def __post_init__(self) -> None:
        _check_whole("The number of a direction", self.direction, 0, MAX_DIRECTION)
        _check_number("The strength of a direction", self.strength, -STRENGTH, STRENGTH)
        _check_whole("The first layer", self.first, 0, MAX_LAYERS - 1)
        if self.last is not None:
            _check_whole("The last layer", self.last, self.first, MAX_LAYERS - 1)

    def as_json(self) -> dict[str, Any]:
        """A plain value."""
        ends = {"first": self.first, "last": self.last}
        return {"direction": self.direction, "strength": self.strength, **ends}


@dataclass(frozen=True, kw_only=True)
class Moved:
    """Another point, moved along directions (GANSpace, 2004.02546, equation 4)."""

    kind: ClassVar[str] = "moved"
    point: "Point"
    moves: tuple[Move, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.moves) <= 64:
            raise ConfigError("A point is moved along 1 to 64 directions. Leave some sliders at 0.")
        _check_depth(self)

    def as_json(self) -> dict[str, Any]:
        """A value that `parse_point` reads."""
        moves = [move.as_json() for move in self.moves]
        return {"kind": self.kind, "point": self.point.as_json(), "moves": moves}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], depth: int) -> Self:
        """The other way. Raises KeyError, TypeError or ConfigError."""
        names = ("direction", "strength", "first", "last")
        moves = [Move(**{name: each[name] for name in names if name in each}) for each in values["moves"]]
        return cls(point=_parse(values["point"], depth + 1), moves=tuple(moves))


@dataclass(frozen=True, kw_only=True)
class LatentMap:
    """An endless map of a latent space: what decides it, but for the model. See engines.stylegan.latent_map.

    `distance` between neighbouring tiles at zoom 0: at 1 they resemble each other somewhat, at 0.25 they can
    hardly be told apart. `centre` is what tile (0, 0) shows; None: whatever the seed has there. `axes` are
    the numbers of two principal directions that grow to the right and downwards; None: no way means anything.
    """

    seed: int = 0
    distance: float = 0.5
    truncation: float = 0.8
    centre: "Point | None" = None
    axes: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        _check_whole("The seed of a map", self.seed, 0, MAX_SEED)
        _check_number("The sampling distance", self.distance, *DISTANCE)
        check_truncation(self.truncation)
        if self.axes is not None:
            if len(self.axes) != 2 or self.axes[0] == self.axes[1]:
                raise ConfigError("The axes of a map are two different directions. Choose another one.")
            for axis in self.axes:
                _check_whole("The number of a direction", axis, 0, MAX_DIRECTION)
        _check_depth(self)

    def as_json(self) -> dict[str, Any]:
        """A value that `parse_map` reads."""
        return {
            "seed": self.seed,
            "distance": self.distance,
            "truncation": self.truncation,
            "centre": None if self.centre is None else self.centre.as_json(),
            "axes": None if self.axes is None else list(self.axes),
        }


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One picture of a map: column `x`, row `y` (downwards) at a `zoom` level.

    Tile (x, y) is tile (2x, 2y) of the next finer level: zooming in keeps what was seen and adds between.
    """

    x: int
    y: int
    zoom: int = 0

    def __post_init__(self) -> None:
        _check_whole("The column of a tile", self.x, -MAX_TILE, MAX_TILE)
        _check_whole("The row of a tile", self.y, -MAX_TILE, MAX_TILE)
        _check_whole("The zoom", self.zoom, *ZOOM)

    def place(self, distance: float) -> tuple[float, float]:
        """Where it lies on the map's plane."""
        step = math.ldexp(distance, -self.zoom)  # exact, so that a place is the same at every level
        return self.x * step, self.y * step

    def coarsest(self) -> "Tile":
        """The same picture's tile at the coarsest level that has it; its cached picture serves all levels."""
        x, y, zoom = self.x, self.y, self.zoom
        while zoom > ZOOM[0] and x % 2 == 0 and y % 2 == 0:
            x, y, zoom = x // 2, y // 2, zoom - 1
        return Tile(x=x, y=y, zoom=zoom)


@dataclass(frozen=True, kw_only=True)
class MapPlace:
    """A tile of a map as a point."""

    kind: ClassVar[str] = "map"
    map: LatentMap
    tile: Tile

    def __post_init__(self) -> None:
        _check_depth(self)

    def as_json(self) -> dict[str, Any]:
        """A value that `parse_point` reads."""
        tile = {"x": self.tile.x, "y": self.tile.y, "zoom": self.tile.zoom}
        return {"kind": self.kind, "map": self.map.as_json(), **tile}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], depth: int) -> Self:
        """The other way. Raises KeyError, TypeError or ConfigError."""
        tile = Tile(x=values["x"], y=values["y"], zoom=values.get("zoom", 0))
        return cls(map=_parse_map(values["map"], depth + 1), tile=tile)


Point: TypeAlias = Seed | Vector | Mix | Moved | MapPlace
_KINDS: Mapping[str, type[Point]] = {kind.kind: kind for kind in (Seed, Vector, Mix, Moved, MapPlace)}


def parse_point(value: Any) -> Point:
    """A point out of JSON, from whomever. Raises ConfigError, naming what is wrong."""
    return _parse(value, 0)


def parse_map(value: Any) -> LatentMap:
    """A map out of JSON, from whomever. Raises ConfigError, naming what is wrong."""
    return _parse_map(value, 0)


def named_models(whole: "Point | LatentMap") -> frozenset[str]:
    """The SHA-256 of the models whose values of w a point holds, at any depth; often there are none."""
    own = {whole.model} if isinstance(whole, Vector) else set()
    return frozenset(own).union(*map(named_models, _inner(whole)))


def named_directions(whole: "Point | LatentMap") -> frozenset[int]:
    """The numbers of the directions along which a point, or what it is made of, was moved."""
    own = {move.direction for move in whole.moves} if isinstance(whole, Moved) else set()
    if isinstance(whole, LatentMap) and whole.axes is not None:
        own = set(whole.axes)
    return frozenset(own).union(*map(named_directions, _inner(whole)))


def tile_key(model: str, latent_map: LatentMap, tile: Tile) -> str:
    """What to keep the picture of a tile under: a SHA-256 of all that decides it. Equal at every zoom level.

    `model` is the SHA-256 of the generator.
    """
    coarsest = tile.coarsest()
    whole = [MAP_VERSION, model, latent_map.as_json(), coarsest.x, coarsest.y, coarsest.zoom]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def check_truncation(value: Any) -> None:
    """Raise ConfigError unless this is a truncation that makes sense."""
    low, high = TRUNCATION
    if not _is_number(value) or not low <= value <= high:
        raise ConfigError(
            f"Truncation goes from {low:g} to {high:g}; you gave {value}. Choose 0.7 for typical pictures, 1 "
            "for all of the model's variety."
        )


def _parse(value: Any, depth: int) -> Point:
    if depth > MAX_DEPTH:
        raise ConfigError(_TOO_DEEP)
    name = value.get("kind") if isinstance(value, dict) else None
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ConfigError("This is not a point of a latent space. Pin the point again.")
    try:
        return kind.from_json(value, depth)
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError("This point is not complete. Pin the point again.") from error


def _parse_map(value: Any, depth: int) -> LatentMap:
    try:
        centre, axes = value.get("centre"), value.get("axes")
        return LatentMap(
            **{name: value[name] for name in ("seed", "distance", "truncation") if name in value},
            centre=None if centre is None else _parse(centre, depth + 1),
            axes=None if axes is None else tuple(axes),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError("This is not a map of a latent space. Open the map again.") from error


def _inner(whole: "Point | LatentMap") -> Iterator["Point | LatentMap"]:
    if isinstance(whole, Mix):
        yield from (whole.first, whole.second)
    elif isinstance(whole, Moved):
        yield whole.point
    elif isinstance(whole, MapPlace):
        yield whole.map
    elif isinstance(whole, LatentMap) and whole.centre is not None:
        yield whole.centre


def _depth(whole: "Point | LatentMap") -> int:
    return 1 + max(map(_depth, _inner(whole)), default=0)


def _check_depth(whole: "Point | LatentMap") -> None:
    if _depth(whole) > MAX_DEPTH:
        raise ConfigError(_TOO_DEEP)


_TOO_DEEP = (
    f"This point is made from points within points, more than {MAX_DEPTH} deep. Pin it as it is, then go on."
)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_whole(what: str, value: Any, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigError(f"{what} goes from {low} to {high}; you gave {value}.")


def _check_number(what: str, value: Any, low: float, high: float) -> None:
    if not _is_number(value) or not low <= value <= high:
        raise ConfigError(f"{what} goes from {low:g} to {high:g}; you gave {value}.")
