"""Walks through a latent space: from point to point, as films."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from engines.errors import ConfigError
from engines.film import enlarged, write_film, write_gif, write_picture_sequence
from engines.film_provenance import FilmMarker
from engines.images import UInt8Array
from engines.stylegan.latent import LatentSpace, slerp
from engines.stylegan.walking import MAX_GIF_FRAMES, SUFFIXES, Walk

PALETTE_FRAMES = 24  # that the colours of a GIF are chosen from
FILM_SIDE = 512  # smaller pictures are enlarged for films: H.264 halves the resolution of colours
GIF_SIDE = 256
PART = 48  # frames that are kept together, in whole batches


class FrameStore(Protocol):
    """Where frames outlive the process that makes them, in parts of PART."""

    def load(self, part: int) -> UInt8Array | None:
        """The frames of a part, uint8 `[N, R, R, 3]`; None where they are not there, or damaged."""

    def store(self, part: int, pictures: UInt8Array) -> None:
        """Keep the frames of a part."""


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
    kept: FrameStore | None = None,
) -> Iterator[UInt8Array]:
    """The pictures of a walk one by one, uint8 `[R, R, 3]`; memory does not grow with their number.

    `on_batch(done, total)` is called when a batch has been made; an exception from it ends the walk. What is
    `kept` of an earlier time is not made again: the same frames come, to the bit.
    """
    latents_of = walk_latents(space, walk)
    size = batch_size if kept is None else PART
    for part, first in enumerate(range(0, walk.frames, size)):
        numbers = range(first, min(first + size, walk.frames))
        pictures = kept.load(part) if kept is not None else None
        if pictures is None:
            told = partial(_tell, on_batch, first, walk.frames)
            pictures = space.generator.images_of(latents_of(numbers), batch_size=batch_size, on_batch=told)
            if kept is not None:
                kept.store(part, pictures)
        else:
            _tell(on_batch, first, walk.frames, len(numbers))
        yield from pictures


def _tell(
    on_batch: Callable[[int, int], None] | None, first: int, total: int, done: int, _of: int = 0
) -> None:
    """Say how far the whole walk is, of which some frames have been done from `first` on."""
    if on_batch is not None:
        on_batch(first + done, total)


def write_walk(
    space: LatentSpace,
    walk: Walk,
    path: Path,
    *,
    marker: FilmMarker | None = None,
    on_batch: Callable[[int, int], None] | None = None,
    kept: FrameStore | None = None,
) -> int:
    """Write a walk as a film (.mp4), an animation (.gif) or PNG files (.zip) and return its frames.

    `marker` writes into the file where it comes from. Films and animations of small pictures are enlarged by
    a whole factor; PNG files keep their size. `kept` as for `walk_frames`. The file appears complete or not
    at all. Raises ConfigError for another suffix and for too many frames.
    """
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"A walk is written as one of {', '.join(SUFFIXES)}; you asked for {path.name}.")
    if path.suffix == ".gif":
        walk.check_frames(MAX_GIF_FRAMES)
    frames = walk_frames(space, walk, on_batch=on_batch, kept=kept)
    count = _write_unmarked(space, walk, path, frames, marker)
    if marker is not None:
        marker.seal(path)
    return count


def _write_unmarked(
    space: LatentSpace,
    walk: Walk,
    path: Path,
    frames: Iterator[UInt8Array],
    marker: FilmMarker | None,
) -> int:
    if path.suffix == ".zip":
        return write_picture_sequence(frames, path, write_png=marker.write_png if marker else None)
    if path.suffix == ".mp4":
        factor = max(1, FILM_SIDE // space.generator.resolution)
        larger = (enlarged(frame, factor) for frame in frames)
        return write_film(larger, path, fps=walk.fps, tags=marker.tags if marker else None)
    factor = max(1, GIF_SIDE // space.generator.resolution)
    colours = _some_frames(space, walk)
    return write_gif((enlarged(frame, factor) for frame in frames), path, fps=walk.fps, colours=colours)


def preview(space: LatentSpace, walk: Walk, count: int) -> UInt8Array:
    """At most `count` pictures of a walk, evenly spaced, both ends among them: uint8 `[N, R, R, 3]`."""
    numbers = np.unique(np.linspace(0, walk.frames - 1, count).round().astype(int)).tolist()
    return space.generator.images_of(walk_latents(space, walk)(numbers))


def _some_frames(space: LatentSpace, walk: Walk) -> UInt8Array:
    return preview(space, walk, min(PALETTE_FRAMES, math.ceil(walk.frames / 2)) + 1)
