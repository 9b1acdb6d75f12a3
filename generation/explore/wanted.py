"""What looks want, as plain values: pictures of one network, named by the keys under which they will come.

No torch here: a web process writes them, a worker reads them.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from engines.stylegan.points import MAP_VERSION, LatentMap, MapPlace, Point, Tile, tile_key

Kind = Literal["tiles", "points", "frames", "values"]
# Keys of values begin with it, so that they are never taken for those of pictures.
VALUES = "v"


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Pictures of one network that are wanted, the first first.

    Attributes:
        network: its key (`catalog.generators`).
        sha256: of its generator.
        kind: "tiles" of the map in `shared`, "points", "frames" of the walk in `shared`; or "values": the w
            of points instead of their pictures.
        shared: what all of them have in common: a map or a walk as JSON.
        items: (key, what it is): a tile [x, y, zoom], a point as JSON, the number of a frame.
    """

    network: str
    sha256: str
    kind: Kind
    shared: Mapping[str, Any] | None
    items: Sequence[tuple[str, Any]]

    def as_json(self) -> dict[str, Any]:
        """What a row keeps."""
        return {
            "network": self.network,
            "sha256": self.sha256,
            "kind": self.kind,
            "shared": self.shared,
            "items": [list(item) for item in self.items],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Sheet":
        """Read what `as_json` wrote."""
        return cls(**{**value, "items": [(key, what) for key, what in value["items"]]})

    @property
    def keys(self) -> list[str]:
        """The keys of all of them, in order."""
        return [key for key, _what in self.items]

    def part(self, items: Sequence[tuple[str, Any]]) -> "Sheet":
        """Return the same sheet with other items."""
        return Sheet(
            network=self.network, sha256=self.sha256, kind=self.kind, shared=self.shared, items=items
        )


def sheet_of_tiles(network: str, sha256: str, latent_map: LatentMap, tiles: Sequence[Tile]) -> Sheet:
    """The tiles of a map; the picture of a tile is the same at every zoom level that has it."""
    items = [(tile_key(sha256, latent_map, tile), [tile.x, tile.y, tile.zoom]) for tile in tiles]
    return Sheet(network=network, sha256=sha256, kind="tiles", shared=latent_map.as_json(), items=items)


def sheet_of_points(network: str, sha256: str, points: Sequence[Point]) -> Sheet:
    """The pictures of points."""
    items = [(point_key(sha256, point), point.as_json()) for point in points]
    return Sheet(network=network, sha256=sha256, kind="points", shared=None, items=items)


def sheet_of_values(network: str, sha256: str, points: Sequence[Point]) -> Sheet:
    """The values of w at points."""
    keys = [VALUES + _hash(["values", sha256, point.as_json()])[1:] for point in points]
    items = [(key, point.as_json()) for key, point in zip(keys, points, strict=True)]
    return Sheet(network=network, sha256=sha256, kind="values", shared=None, items=items)


def sheet_of_frames(network: str, sha256: str, walk: Mapping[str, Any], frames: Sequence[int]) -> Sheet:
    """Frames of a walk; `walk` holds the fields of `engines.stylegan.walk.Walk`, its points as JSON."""
    items = [(_hash(["frame", sha256, walk, frame]), frame) for frame in frames]
    return Sheet(network=network, sha256=sha256, kind="frames", shared=walk, items=items)


def point_key(sha256: str, point: Point) -> str:
    """Return the key of a point's picture; a place of a map has that of its tile."""
    if isinstance(point, MapPlace):
        return tile_key(sha256, point.map, point.tile)
    return _hash(["point", sha256, point.as_json()])


def _hash(value: list[Any]) -> str:
    return hashlib.sha256(json.dumps([MAP_VERSION, *value], sort_keys=True).encode()).hexdigest()
