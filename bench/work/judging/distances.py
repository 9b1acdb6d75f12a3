"""How near samples are to training pictures, and how far a LoRA moves what the base makes without it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance

from engines.images import FloatArray, UInt8Array
from engines.likeness import LikenessIndex, picture_print
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
    what counts as a copy there is chance. `held_out`: each training picture held against the others, as if it
    were a sample; no sample can be less of a copy and more of the subject than a new photograph.
    `duplicates`: which samples the studio's search for duplicates finds among the training pictures;
    `planted`: which of those pictures themselves, made softer, brighter and cut by a few pixels. `drift`: for
    each prompt without its keyword, in levels of 255.
    """

    minutes: float
    copies: Copies
    by_chance: Copies
    held_out: Copies
    duplicates: npt.NDArray[np.bool_]
    planted: npt.NDArray[np.bool_]
    drift: FloatArray


def find_copies(samples: Sequence[UInt8Array], training: UInt8Array) -> Copies:
    """Hold samples uint8 `[S, S, 3]` against all training pictures uint8 `[M, S, S, 3]`."""
    index = NearestIndex(
        thumbnails(training), np.empty(0, np.float32), tuple(str(number) for number in range(len(training)))
    )
    found = index.search(np.stack(samples))
    spacing = index.spacing_of(found.index)
    return Copies(distance=found.distance, spacing=spacing, is_copy=found.distance < spacing)


def hold_out(training: UInt8Array) -> Copies:
    """Hold each of uint8 `[M, S, S, 3]` against the others as if it were a sample."""
    each = [
        find_copies([picture], np.delete(training, number, axis=0)) for number, picture in enumerate(training)
    ]
    return Copies(
        distance=np.concatenate([one.distance for one in each]),
        spacing=np.concatenate([one.spacing for one in each]),
        is_copy=np.concatenate([one.is_copy for one in each]),
    )


def find_duplicates(samples: Sequence[UInt8Array], training: UInt8Array) -> npt.NDArray[np.bool_]:
    """Whether each sample is a duplicate of one of uint8 `[M, S, S, 3]`, as `engines.likeness` finds them."""
    prints = _prints(training)
    return np.asarray([bool(LikenessIndex(prints).add(_prints([sample]))) for sample in samples])


def planted_copies(training: UInt8Array) -> list[UInt8Array]:
    """Each picture as a network that learned it by heart might give it: softer, brighter, a little cut."""
    side = training.shape[1]
    margin = side // 32
    planted = []
    for picture in training:
        cut = Image.fromarray(picture).crop((margin, margin, side, side))
        soft = cut.resize((side // 3, side // 3), Image.Resampling.BOX).resize((side, side))
        planted.append(np.asarray(ImageEnhance.Brightness(soft).enhance(1.1)))
    return planted


def _prints(pictures: Sequence[UInt8Array] | UInt8Array) -> UInt8Array:
    return np.stack([picture_print(Image.fromarray(picture)) for picture in pictures])


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
        f"{'':10} {'minutes':>7} {'copies':>8} {'by chance':>9} {'held out':>8} {'nearest':>8} {'spacing':>8}"
        f" {'duplicates':>10} {'planted':>8} {'drift':>6} {'most':>6}"
    )
    for name, one in figures.items():
        copies, by_chance, held_out = (
            _of(each.is_copy) for each in (one.copies, one.by_chance, one.held_out)
        )
        nearest, spacing = np.median(one.copies.distance), np.median(one.copies.spacing)
        yield (
            f"{name:10} {one.minutes:7.1f} {copies:>8} {by_chance:>9} {held_out:>8} {nearest:8.2f}"
            f" {spacing:8.2f} {_of(one.duplicates):>10} {_of(one.planted):>8}"
            f" {one.drift.mean():6.1f} {one.drift.max():6.1f}"
        )
    yield f"Distances are medians. Drift in levels of 255: different prompts are {plain:.1f} apart."


def _of(found: npt.NDArray[np.bool_]) -> str:
    return f"{found.sum()} of {len(found)}"


def as_json(figures: Mapping[str, Figures]) -> str:
    """Return every single figure."""
    rows = {
        name: {
            "minutes": one.minutes,
            "nearest": one.copies.distance.tolist(),
            "spacing": one.copies.spacing.tolist(),
            "is_copy": one.copies.is_copy.tolist(),
            "is_copy_by_chance": one.by_chance.is_copy.tolist(),
            "is_copy_held_out": one.held_out.is_copy.tolist(),
            "is_duplicate": one.duplicates.tolist(),
            "is_planted_found": one.planted.tolist(),
            "drift": one.drift.tolist(),
        }
        for name, one in figures.items()
    }
    return json.dumps(rows, indent=1) + "\n"
