"""How much a model repeats its training pictures, as one figure with its floor. No torch here."""

from dataclasses import dataclass

import numpy as np

from engines.errors import DatasetError
from engines.images import UInt8Array
from engines.metrics.nearest import NearestIndex

MIN_IMAGES = 16  # of either kind
CHOSEN = 1000  # training pictures that the floor rests on
ROUNDING = 1e-5


@dataclass(frozen=True, kw_only=True)
class Memorisation:
    """Shares from 0 to 1 of generated images (`samples` of them).

    `share`: those nearer to a training picture than that one is to every other. It is the complement of the
    authenticity of 2102.08921, section 4.3, measured on tiny copies as in engines.metrics.nearest. Its
    `floor` is the same share of training pictures, each taken as if it were new: what a perfect generator
    comes down to, and a model that has learnt by heart is near 1. `suspects`: those nearer than hardly any
    two training pictures are; a perfect generator has next to none.
    """

    share: float
    floor: float
    suspects: float
    samples: int


def memorisation(index: NearestIndex, images: UInt8Array) -> Memorisation:
    """Measure uint8 `[N, R, R, 3]`, R a multiple of 16, against the training pictures of `index`.

    Raises DatasetError for fewer than MIN_IMAGES of either.
    """
    if min(len(index.names), len(images)) < MIN_IMAGES:
        raise DatasetError(
            f"Measuring what was learnt by heart takes {MIN_IMAGES} training pictures and as many generated "
            "ones at least."
        )
    found = index.search(images)
    return Memorisation(
        share=float((found.distance < index.spacing_of(found.index)).mean()),
        floor=_floor(index),
        suspects=float(found.is_suspect.mean()),
        samples=len(images),
    )


def _floor(index: NearestIndex) -> float:
    """The share of training pictures that are the nearest other one of their own nearest other one."""
    chosen = np.unique(np.linspace(0, len(index.names) - 1, CHOSEN).astype(np.int64))
    nearest, distance = index.nearest_other(chosen)
    has_other = np.isfinite(distance)
    if not has_other.any():
        raise DatasetError("All training pictures are the same one, so there is nothing to compare with.")
    back = index.spacing_of(nearest[has_other])
    return float((distance[has_other] <= back + ROUNDING).mean())
