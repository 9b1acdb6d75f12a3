"""How near samples are to training pictures, and how far a LoRA moves what the base makes without it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engines.images import FloatArray, UInt8Array
from engines.metrics.nearest import NearestIndex, thumbnails


@dataclass(frozen=True, kw_only=True)
class Copies:
    """For each sample the nearest training picture's distance, and that one's own to its nearest neighbour.

    Both as `engines.metrics.nearest` has them. `is_copy` where the sample is the nearer one.
    """

    distance: FloatArray
    spacing: FloatArray
    is_copy: npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What is measured of one LoRA.

    `by_chance`: the same of what the base alone makes of the prompts; it never saw the training pictures, so
    what counts as a copy there is chance. `drift`: for each prompt without its keyword, in levels of 255.
    """

    minutes: float
    copies: Copies
    by_chance: Copies
    drift: FloatArray


def find_copies(samples: Sequence[UInt8Array], training: UInt8Array) -> Copies:
    """Hold samples uint8 `[S, S, 3]` against all training pictures uint8 `[M, S, S, 3]`."""
    index = NearestIndex(
        thumbnails(training), np.empty(0, np.float32), tuple(str(number) for number in range(len(training)))
    )
    found = index.search(np.stack(samples))
    spacing = index.spacing_of(found.index)
    return Copies(distance=found.distance, spacing=spacing, is_copy=found.distance < spacing)


def levels_apart(ours: Sequence[UInt8Array], theirs: Sequence[UInt8Array]) -> FloatArray:
    """Mean difference of each pair of pictures, in levels of 255: `[N]`."""
    apart = [
        np.abs(one.astype(np.int16) - other.astype(np.int16)).mean()
        for one, other in zip(ours, theirs, strict=True)
    ]
    return np.asarray(apart, np.float32)


def table(figures: Mapping[str, Figures], *, plain: float) -> Iterator[str]:
    """Yield a line for each LoRA. `plain`: how far the base's pictures of different prompts are apart."""
    yield (
        f"{'':10} {'minutes':>7} {'copies':>8} {'by chance':>9} {'nearest':>8} {'spacing':>8}"
        f" {'drift':>6} {'most':>6}"
    )
    for name, one in figures.items():
        copies, by_chance = (
            f"{each.is_copy.sum()} of {len(each.is_copy)}" for each in (one.copies, one.by_chance)
        )
        nearest, spacing = np.median(one.copies.distance), np.median(one.copies.spacing)
        yield (
            f"{name:10} {one.minutes:7.1f} {copies:>8} {by_chance:>9} {nearest:8.2f} {spacing:8.2f}"
            f" {one.drift.mean():6.1f} {one.drift.max():6.1f}"
        )
    yield f"Distances are medians. Drift in levels of 255: different prompts are {plain:.1f} apart."


def as_json(figures: Mapping[str, Figures]) -> str:
    """Return every single figure."""
    rows = {
        name: {
            "minutes": one.minutes,
            "nearest": one.copies.distance.tolist(),
            "spacing": one.copies.spacing.tolist(),
            "is_copy": one.copies.is_copy.tolist(),
            "is_copy_by_chance": one.by_chance.is_copy.tolist(),
            "drift": one.drift.tolist(),
        }
        for name, one in figures.items()
    }
    return json.dumps(rows, indent=1) + "\n"
