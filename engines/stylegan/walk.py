"""Walks through a latent space: from point to point, as films."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from engines.errors import ConfigError
from engines.film import enlarged, write_film, write_gif, write_picture_sequence
from engines.images import UInt8Array
from engines.stylegan.latent import LatentSpace, slerp
from engines.stylegan.points import Point, check_truncation

Easing = Literal["linear", "smooth"]
Space = Literal["w", "z"]

MAX_FRAMES = 3600  # of a walk: 150 seconds at 24 frames a second
MAX_GIF_FRAMES = 720  # files grow large
MAX_POINTS = 100
PALETTE_FRAMES = 24  # that the colours of a GIF are chosen from
FILM_SIDE = 512  # smaller pictures are enlarged for films: H.264 halves the resolution of colours
GIF_SIDE = 256
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


def walk_latents(space: LatentSpace, walk: Walk) -> Callable[[Sequence[int]], Tensor]:
    """A function from numbers of frames to float32 `[N, num_ws, w_dim]`. Raises as `LatentSpace.ws` does."""
    ends = space.z(walk.points) if walk.space == "z" else space.ws(walk.points)

    def latents_of(frames: Sequence[int]) -> Tensor:
        starts, stops, shares = zip(*map(walk.place, frames), strict=True)
        first, second = ends[list(starts)], ends[list(stops)]
        share = torch.tensor(shares).reshape(-1, *[1] * (ends.ndim - 1))
        if walk.space == "z":
            return space.ws_of_z(slerp(first, second, share), walk.truncation)
        return first.lerp(second, share)

    return latents_of


def walk_frames(
    space: LatentSpace,
    walk: Walk,
    *,
    batch_size: int = 16,
    on_batch: Callable[[int, int], None] | None = None,
) -> Iterator[UInt8Array]:
    """The pictures of a walk one by one, uint8 `[R, R, 3]`; memory does not grow with their number.

    `on_batch(done, total)` is called when a batch has been made; an exception from it ends the walk.
    """
    latents_of = walk_latents(space, walk)
    for first in range(0, walk.frames, batch_size):
        numbers = range(first, min(first + batch_size, walk.frames))
        pictures = space.generator.images_of(latents_of(numbers), batch_size=batch_size)
        if on_batch is not None:
            on_batch(numbers.stop, walk.frames)
        yield from pictures


def write_walk(
    space: LatentSpace,
    walk: Walk,
    path: Path,
    *,
    on_batch: Callable[[int, int], None] | None = None,
) -> int:
    """Write a walk as a film (.mp4), an animation (.gif) or PNG files (.zip) and return its frames.

    Films and animations of small pictures are enlarged by a whole factor; PNG files keep their size. The
    file appears complete or not at all. Raises ConfigError for another suffix and for too many frames.
    """
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"A walk is written as one of {', '.join(SUFFIXES)}; you asked for {path.name}.")
    if path.suffix == ".gif":
        walk.check_frames(MAX_GIF_FRAMES)
    frames = walk_frames(space, walk, on_batch=on_batch)
    if path.suffix == ".zip":
        return write_picture_sequence(frames, path)
    if path.suffix == ".mp4":
        factor = max(1, FILM_SIDE // space.generator.resolution)
        return write_film((enlarged(frame, factor) for frame in frames), path, fps=walk.fps)
    factor = max(1, GIF_SIDE // space.generator.resolution)
    colours = _some_frames(space, walk)
    return write_gif((enlarged(frame, factor) for frame in frames), path, fps=walk.fps, colours=colours)


def preview(space: LatentSpace, walk: Walk, count: int) -> UInt8Array:
    """At most `count` pictures of a walk, evenly spaced, both ends among them: uint8 `[N, R, R, 3]`."""
    numbers = np.unique(np.linspace(0, walk.frames - 1, count).round().astype(int)).tolist()
    return space.generator.images_of(walk_latents(space, walk)(numbers))


def _some_frames(space: LatentSpace, walk: Walk) -> UInt8Array:
    return preview(space, walk, min(PALETTE_FRAMES, math.ceil(walk.frames / 2)) + 1)
