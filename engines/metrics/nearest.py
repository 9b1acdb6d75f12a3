"""The training image that a generated one resembles most: a check against learning by heart. No torch here.

Pictures are compared at 16 x 16 pixels, where small shifts of fine detail no longer count, each brought to
the same brightness and contrast. How near is too near depends on the pictures: icons resemble each other more
than photographs do. So the index also holds how far training images are from the nearest other one.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from engines.dataset import PreparedDataset
from engines.errors import DatasetError
from engines.images import FloatArray, UInt8Array

SIDE = 16
VALUES = SIDE * SIDE * 3
CHUNK = 1000  # pictures worked on at once
SPACINGS = 2000  # training images whose distance to the nearest other one is measured
SAME = 0.02  # nearer than this, two training images are the same picture added twice
# An output is suspect nearer than this share of what only one training image in a hundred comes below.
# Without the margin, one fresh picture in a hundred would be suspected.
SUSPECT, NEAR_QUANTILE = 0.6, 0.01
FLAT = 1.0  # grey levels; a picture of less contrast is not stretched further


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """For each of N images the nearest training image, reversed or not. Arrays are `[N]`.

    `distance` is the root mean square difference at 16 x 16 pixels, in standard deviations of a picture: 0
    for a copy, 1.4 for pictures that have nothing in common. `closer_than` is the share of training images
    that are farther than that from the nearest other one. `is_suspect`: nearer than hardly any two training
    images are, so probably learned by heart.
    """

    index: npt.NDArray[np.int64]  # in the prepared dataset
    names: tuple[str, ...]
    distance: FloatArray
    closer_than: FloatArray
    is_suspect: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class NearestIndex:
    """What is needed to search the training images: a private file, for it holds a tiny copy of each.

    `thumbnails` uint8 `[M, 768]`; `spacings` float32, in ascending order; `names` of the M images.
    """

    thumbnails: UInt8Array
    spacings: FloatArray
    names: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `build_nearest_index` wrote. Raises DatasetError where it is missing or damaged."""
        try:
            with safe_open(path, framework="numpy") as file:
                names = json.loads(file.metadata()["names"])
                return cls(file.get_tensor("thumbnails"), file.get_tensor("spacings"), tuple(names))
        except (OSError, SafetensorError, TypeError, KeyError) as error:
            message = f"The index of training pictures {path.name} cannot be read. Build it again."
            raise DatasetError(message) from error

    @classmethod
    def of_all(cls, indexes: Sequence[Self]) -> Self:
        """One index of the pictures of several: spacings are measured anew, among all of them."""
        if len(indexes) == 1:
            return indexes[0]
        small = np.concatenate([index.thumbnails for index in indexes])
        return cls(small, _spacings(small), tuple(name for index in indexes for name in index.names))

    def search(self, images: UInt8Array) -> Nearest:
        """The nearest training image of each of uint8 `[N, R, R, 3]`, R a multiple of 16."""
        small = thumbnails(images)
        upright, mirrored = (_standardised(each) for each in (small, _reversed(small)))
        best = np.full(len(images), -np.inf, np.float32)
        index = np.zeros(len(images), np.int64)
        for first, training in self._standardised_chunks():
            likeness = np.maximum(upright @ training.T, mirrored @ training.T)
            found = likeness.argmax(axis=1)
            values = likeness[np.arange(len(images)), found]
            index = np.where(values > best, found + first, index)
            best = np.maximum(best, values)
        distance = _distance(best)
        farther = len(self.spacings) - np.searchsorted(self.spacings, distance, side="right")
        closer_than = (farther / max(1, len(self.spacings))).astype(np.float32)
        return Nearest(
            index=index,
            names=tuple(self.names[each] for each in index),
            distance=distance,
            closer_than=closer_than,
            is_suspect=distance < self._suspect_below,
        )

    def nearest_other(self, index: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """Of each of these training images the nearest other one, reversed or not, and how far: both `[N]`.

        Its copies say nothing about how different pictures are, so they do not count; infinitely far where
        there is no other.
        """
        chosen = self.thumbnails[index]
        upright, mirrored = (_standardised(each) for each in (chosen, _reversed(chosen)))
        found = np.zeros(len(index), np.int64)
        nearest = np.full(len(index), np.inf, np.float32)
        for first, training in self._standardised_chunks():
            distance = _distance(np.maximum(upright @ training.T, mirrored @ training.T))
            distance[distance < SAME] = np.inf
            best = distance.argmin(axis=1)
            values = distance[np.arange(len(index)), best]
            found = np.where(values < nearest, best + first, found)
            nearest = np.minimum(nearest, values)
        return found, nearest

    def spacing_of(self, index: npt.NDArray[np.int64]) -> FloatArray:
        """How far each of these training images is from the nearest other one: `[N]`."""
        return self.nearest_other(index)[1]

    @property
    def _suspect_below(self) -> float:
        if not len(self.spacings):
            return 0.0
        return SUSPECT * float(np.quantile(self.spacings, NEAR_QUANTILE))

    def _standardised_chunks(self) -> Iterator[tuple[int, FloatArray]]:
        for first in range(0, len(self.thumbnails), CHUNK):
            yield first, _standardised(self.thumbnails[first : first + CHUNK])


def build_nearest_index(dataset: PreparedDataset, path: Path) -> None:
    """Write the file that `search` needs, complete or not at all: about 0.8 KB a picture."""
    chunks = range(0, len(dataset), CHUNK)
    small = np.concatenate([thumbnails(dataset.images[first : first + CHUNK]) for first in chunks])
    draft = path.with_name(f".{path.name}.part")
    try:
        save_file(
            {"thumbnails": small, "spacings": _spacings(small)},
            draft,
            metadata={"names": json.dumps(dataset.names)},
        )
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def search(index_path: Path, images: UInt8Array) -> Nearest:
    """The nearest training images of uint8 `[N, R, R, 3]`. Raises DatasetError where there is no index."""
    return NearestIndex.read(index_path).search(images)


def thumbnails(images: UInt8Array) -> UInt8Array:
    """uint8 `[N, R, R, 3]`, R a multiple of 16, to uint8 `[N, 768]`: means of squares."""
    count, height, width, channels = images.shape
    cells = images.reshape(count, SIDE, height // SIDE, SIDE, width // SIDE, channels)
    # Rows first, in integers: several times as fast as the mean over both at once.
    sums = cells.sum(axis=2, dtype=np.uint32).sum(axis=3, dtype=np.uint32)
    area = (height // SIDE) * (width // SIDE)
    means: UInt8Array = ((sums + area // 2) // area).astype(np.uint8)
    return means.reshape(count, VALUES)


def _reversed(small: UInt8Array) -> UInt8Array:
    return small.reshape(-1, SIDE, SIDE, 3)[:, :, ::-1].reshape(len(small), VALUES)


def _standardised(small: UInt8Array) -> FloatArray:
    """Each row at mean 0 and length 1, so that a product of two is their correlation."""
    centred = small.astype(np.float32)
    centred -= centred.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    centred /= np.maximum(lengths, FLAT * VALUES**0.5)
    return centred


def _distance(correlation: FloatArray) -> FloatArray:
    """|a - b| / sqrt(VALUES) of rows with deviation 1, from their correlation."""
    distance: FloatArray = np.sqrt((2.0 - 2.0 * correlation).clip(min=0.0))
    return distance


def _spacings(small: UInt8Array) -> FloatArray:
    """Distances of some images, chosen evenly, to the nearest other one that is not the same, ascending."""
    chosen = np.unique(np.linspace(0, len(small) - 1, SPACINGS).astype(int))
    nearest = NearestIndex(small, np.empty(0, np.float32), ()).spacing_of(chosen)
    return np.sort(nearest[np.isfinite(nearest)])
