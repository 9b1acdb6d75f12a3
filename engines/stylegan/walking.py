"""What decides a walk through a latent space. No torch here: pages ask before anything is made."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from engines.errors import ConfigError
from engines.stylegan.points import MapPlace, Point, Seed, check_truncation, parse_point

Easing = Literal["linear", "smooth"]
Space = Literal["w", "z"]

MAX_FRAMES = 3600  # of a walk: 150 seconds at 24 frames a second
MAX_GIF_FRAMES = 720  # files grow large
MAX_POINTS = 100
_MAX_TOLD = 100_000  # characters
SUFFIXES = (".mp4", ".gif", ".zip")


@dataclass(frozen=True, kw_only=True)
class Walk:
    """What decides a walk, but for the model. Raises ConfigError, naming what is allowed.

    From each of `points` to the next in `seconds`, and back to the first where it is a `loop`, at `fps`
    frames a second. `easing`: at one speed, or slowing down at each point ("smooth": 3 t^2 - 2 t^3). `space`:
    in straight lines through W, or along great circles through Z, for points that have a z; there
    `truncation` counts in place of the points' own.
    """

    points: tuple[Point, ...]
    seconds: float = 2.0
    fps: int = 24
    loop: bool = False
    easing: Easing = "smooth"
    space: Space = "w"
    truncation: float = 0.8

    def __post_init__(self) -> None:
        if not 2 <= len(self.points) <= MAX_POINTS:
            raise ConfigError(f"A walk goes through 2 to {MAX_POINTS} points; you gave {len(self.points)}.")
        if not 0.1 <= self.seconds <= 60.0:  # not a number compares as false
            raise ConfigError(f"From point to point a walk takes 0.1 to 60 seconds; you gave {self.seconds}.")
        if not 1 <= self.fps <= 60:
            raise ConfigError(f"A walk has 1 to 60 frames a second; you asked for {self.fps}.")
        if self.easing not in {"linear", "smooth"} or self.space not in {"w", "z"}:
            raise ConfigError('Choose "linear" or "smooth", and a walk in "w" or in "z".')
        check_truncation(self.truncation)
        self.check_frames(MAX_FRAMES)

        if self.space == "z" and not all(map(has_z, self.points)):
            raise ConfigError(NO_Z)

    @property
    def leg_frames(self) -> int:
        """Frames from one point to just before the next."""
        return max(1, round(self.seconds * self.fps))

    @property
    def frames(self) -> int:
        """Frames in all. A loop ends just before its first picture, so that it can begin again."""
        legs = len(self.points) if self.loop else len(self.points) - 1
        return legs * self.leg_frames + (0 if self.loop else 1)

    def check_frames(self, allowed: int) -> None:
        """Raise ConfigError where there are more frames than `allowed`."""
        if self.frames > allowed:
            raise ConfigError(
                f"This walk has {self.frames:,} frames; {allowed:,} are allowed. Take fewer points, less "
                "time between them or fewer frames a second."
            )

    def place(self, frame: int) -> tuple[int, int, float]:
        """Between which points, by index, a frame is, and which share of the way it has gone."""
        leg, step = divmod(frame, self.leg_frames)
        share = step / self.leg_frames
        if self.easing == "smooth":
            share = share * share * (3.0 - 2.0 * share)
        return leg % len(self.points), (leg + 1) % len(self.points), share

    def as_json(self) -> dict[str, Any]:
        """A value that `parse_walk` reads."""
        return {
            "points": [point.as_json() for point in self.points],
            "seconds": self.seconds,
            "fps": self.fps,
            "loop": self.loop,
            "easing": self.easing,
            "space": self.space,
            "truncation": self.truncation,
        }

    def as_record(self) -> dict[str, str | int | float | bool]:
        """What provenance says of it: it suffices to make the walk again.

        Of points with very many values of their own, which do not fit into a file's metadata, the SHA-256.
        """
        told = self.as_json()
        points = json.dumps(told.pop("points"))
        if len(points) > _MAX_TOLD:
            points = f"sha256:{hashlib.sha256(points.encode()).hexdigest()}"
        return {"Walk": points, **{name.title(): value for name, value in told.items()}}


def parse_walk(value: Mapping[str, Any]) -> Walk:
    """A walk out of what `as_json` wrote. Raises ConfigError, naming what is wrong."""
    try:
        settings = {name: told for name, told in value.items() if name != "points"}
        return Walk(points=tuple(map(parse_point, value["points"])), **settings)
    except (KeyError, TypeError) as error:
        raise ConfigError("This is not a walk. Choose its points again.") from error


def has_z(point: Point) -> bool:
    """Whether a point has a place in Z: seeds have, and tiles of maps without centre and axes."""
    if isinstance(point, MapPlace):
        return point.map.centre is None and point.map.axes is None
    return isinstance(point, Seed)


NO_Z = "Only seeds, and places of a map without centre and axes, have a place in Z. Walk in W instead."
