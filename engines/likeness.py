"""Which pictures show nearly the same: resized, encoded again, cropped a little, brighter, mirrored.

NumPy and Pillow only. Each picture is kept as a print of 32 x 32 pixels. Two prints are compared in three
stages. The correlation of their 8 x 8 colour layouts finds candidates (one matrix product for all of them).
Then the layouts at 16 x 16 of either one's crops are held against the other, so that a picture that lost a
margin is still found. Last, where two fit best, their fine detail has to agree as well: different pictures
of one design (hills below the same sky) share their layout, and only what is left without it tells them
apart. On photographs, pictograms and drawings that were transformed on purpose this finds more at far fewer
false pairs than perceptual hashes do (`python -m bench.likeness` prints both).
"""

import functools
import itertools
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from engines.images import UInt8Array

PRINT_SIDE = 32
COARSE_SIDE = 8
FINE_SIDE = 16
# Correlations that are asked for: of a candidate's coarse layouts, of a pair's layouts where they fit best,
# and there of their detail. The bench's changes leave 0.86 of the detail, in 98 % of the pictures of each
# kind; of different landscapes with the same layout 95 % have less than 0.7 in common.
CANDIDATE = 0.65
ALIKE = 0.95
SAME_DETAIL = 0.8
# Detail of one level (of 255) is noise: where both have no more than that, their layouts decide.
NOISE = 1.0
# Which parts of a picture another one may be: of this size, at the edges or in the middle of what is left.
CROP_SCALES = (0.95, 0.9, 0.85)
CROP_PLACES = (0.0, 0.5, 1.0)

FloatArray = npt.NDArray[np.float32]
Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True)
class Pair:
    """Two pictures that are nearly the same: their places in the index, and the correlation, at most 1."""

    first: int
    second: int
    likeness: float


def picture_print(image: Image.Image) -> UInt8Array:
    """The whole RGB picture, squeezed to uint8 `[32, 32, 3]`."""
    small = image.convert("RGB").resize((PRINT_SIDE, PRINT_SIDE), Image.Resampling.BOX, reducing_gap=2.0)
    return np.asarray(small)


class LikenessIndex:
    """The prints of a dataset, against which new ones are held as they come.

    About 4 KB for each print. What a comparison of crops needs beyond that is worked out for a print when it
    first becomes a candidate, so that to begin with many prints is quick.
    """

    def __init__(self, prints: UInt8Array | None = None) -> None:
        """Begin with prints uint8 `[N, 32, 32, 3]` that are known already; these are not compared."""
        self._count = 0
        self._prints = np.empty((0, PRINT_SIDE, PRINT_SIDE, 3), np.uint8)
        self._coarse = np.empty((0, 3 * COARSE_SIDE**2), np.float32)
        self._lengths = np.empty((0, len(_windows()[0])), np.float32)
        if prints is not None:
            self.take_in(prints)

    def __len__(self) -> int:
        return self._count

    def add(self, prints: UInt8Array) -> list[Pair]:
        """Take in prints uint8 `[M, 32, 32, 3]`; return their pairs with each other and with earlier ones."""
        begin = len(self)
        self.take_in(prints)
        known = self._coarse[: len(self)]
        mirrored = _coarse(prints[:, :, ::-1])
        found = np.maximum(known[begin:] @ known.T, mirrored @ known.T) >= CANDIDATE
        pairs = []
        for row, candidates in enumerate(found):
            earlier = np.flatnonzero(candidates[: begin + row])
            pairs += [Pair(other, begin + row, value) for other, value in self._alike(prints[row], earlier)]
        return pairs

    def parts(self) -> list[list[int]]:
        """The places of all prints, those together that are alike, directly or through others.

        Each is compared with those that have no place yet: where all are alike, only the first is with all.
        """
        left = np.arange(len(self))
        parts = []
        while len(left):
            part, left = [int(left[0])], left[1:]
            for place in part:  # grows meanwhile
                found = [other for other, _value in self._alike(self._prints[place], left)]
                part += found
                left = np.setdiff1d(left, found)
            parts.append(part)
        return parts

    def take_in(self, prints: UInt8Array) -> None:
        """Take in prints uint8 `[M, 32, 32, 3]` without comparing them."""
        begin, self._count = len(self), len(self) + len(prints)
        if self._count > len(self._prints):
            # Room for as many again: copying at every picture would make adding quadratic.
            room = max(self._count, 2 * len(self._prints))
            self._prints = _grown(self._prints, room)
            self._coarse = _grown(self._coarse, room)
            self._lengths = _grown(self._lengths, room)
        self._prints[begin : self._count] = prints
        self._coarse[begin : self._count] = _coarse(prints)
        self._lengths[begin : self._count] = np.nan

    def _lengths_of(self, places: npt.NDArray[np.int64]) -> FloatArray:
        for place in places[np.isnan(self._lengths[places, 0])]:
            self._lengths[place] = _lengths(self._prints[place])
        found: FloatArray = self._lengths[places]
        return found

    def _alike(self, picture: UInt8Array, others: npt.NDArray[np.int64]) -> list[tuple[int, float]]:
        """Those of the others that are nearly the same as a print, each with the correlation of the two."""
        if not len(others):
            return []
        fits = self._fits(picture, others)
        best = fits.max(axis=1)
        likely = best >= ALIKE
        others, best, fits = others[likely], best[likely], fits[likely].argmax(axis=1)
        alike = np.zeros(len(others), np.bool_)
        for fit in np.unique(fits):
            at = fits == fit
            alike[at] = _details(picture, self._prints[others[at]], int(fit)) >= SAME_DETAIL
        return [(int(other), float(value)) for other, value in zip(others[alike], best[alike], strict=True)]

    def _fits(self, picture: UInt8Array, others: npt.NDArray[np.int64]) -> FloatArray:
        """The correlations of a print with each of those, in all ways: `[N, 112]`.

        A print as it is, then mirrored; each whole against all windows of the others, then the reverse.
        Cutting is linear, so instead of cutting every other print, what it would be multiplied with is spread
        out over its pixels, once.
        """
        pixels = self._prints[others].reshape(len(others), -1).astype(np.float32)
        lengths = self._lengths_of(others)
        fits = []
        for ours in (picture, picture[:, ::-1]):
            crops = _unit(_cut(ours))
            fits.append(pixels @ _spread(crops[:1]).T / lengths)
            fits.append(pixels @ _spread(crops, window=0).T / lengths[:, :1])
        return np.concatenate(fits, axis=1)


def _details(picture: UInt8Array, others: UInt8Array, fit: int) -> FloatArray:
    """How far the detail of a print is that of others `[N, 32, 32, 3]`, at one fit: `[N]`, at most 1."""
    is_mirrored, is_ours_cropped, window = np.unravel_index(fit, (2, 2, len(_windows()[0])))
    ours = picture[None, :, ::-1] if is_mirrored else picture[None]
    one = _detail(ours, int(window) if is_ours_cropped else 0)
    other = _detail(others, 0 if is_ours_cropped else int(window))
    noise = NOISE**2 * one.shape[1]
    lengths = np.linalg.norm(other, axis=1) * np.linalg.norm(one)
    likenesses: FloatArray = ((other @ one[0] + noise) / (lengths + noise)).astype(np.float32)
    return likenesses


def _detail(prints: UInt8Array, window: int) -> FloatArray:
    """What one crop's layouts at 16 x 16 lose when they are smoothed: `[N, 768]`."""
    down, right = (weights[window] for weights in _windows())
    rows = down @ prints.astype(np.float32).reshape(-1, PRINT_SIDE, PRINT_SIDE * 3)
    cells = right @ rows.reshape(-1, FINE_SIDE, PRINT_SIDE, 3)
    detail: FloatArray = (cells - _smooth(cells)).reshape(len(prints), -1)
    return detail


def _smooth(cells: FloatArray) -> FloatArray:
    """Layouts `[N, 16, 16, 3]`, each cell averaged with its neighbours by the weights 1, 2, 1 both ways."""
    edged = np.pad(cells, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    rows = edged[:, :-2] + 2 * edged[:, 1:-1] + edged[:, 2:]
    smooth: FloatArray = (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 16
    return smooth


def _cut(picture: UInt8Array) -> FloatArray:
    """The layouts at 16 x 16 of a print and of its crops: `[28, 768]`."""
    down, right = _windows()
    rows = down @ picture.astype(np.float32).reshape(PRINT_SIDE, PRINT_SIDE * 3)
    by_column = (
        rows.reshape(len(down), FINE_SIDE, PRINT_SIDE, 3).swapaxes(1, 2).reshape(len(down), PRINT_SIDE, -1)
    )
    cells = (right @ by_column).reshape(len(down), FINE_SIDE, FINE_SIDE, 3).swapaxes(1, 2)
    return cells.reshape(len(down), -1)


def _spread(layouts: FloatArray, window: int | None = None) -> FloatArray:
    """The transpose of `_cut`: layouts `[K, 768]` to pixels `[28, 3072]`, through all windows or just one."""
    down, right = _windows()
    if window is not None:
        down, right = down[window : window + 1], right[window : window + 1]
    cells = layouts.reshape(-1, FINE_SIDE, FINE_SIDE * 3)
    rows = (down.swapaxes(1, 2) @ cells).reshape(-1, PRINT_SIDE, FINE_SIDE, 3)
    by_column = rows.swapaxes(1, 2).reshape(-1, FINE_SIDE, PRINT_SIDE * 3)
    pixels = (right.swapaxes(1, 2) @ by_column).reshape(-1, PRINT_SIDE, PRINT_SIDE, 3).swapaxes(1, 2)
    return pixels.reshape(len(pixels), -1)


def _lengths(picture: UInt8Array) -> FloatArray:
    """How much a print and its crops vary, `[28]`: what correlations with them are divided by."""
    cut = _cut(picture)
    lengths: FloatArray = np.linalg.norm(cut - cut.mean(axis=1, keepdims=True), axis=1)
    return lengths.clip(min=1e-3)


def coarse_layout(picture: UInt8Array) -> UInt8Array:
    """The 8 x 8 colours of a print uint8 `[32, 32, 3]`, row by row: uint8 `[192]`."""
    layout: UInt8Array = _means(picture[None])[0].round().astype(np.uint8)
    return layout


def _grown(rows: npt.NDArray[Number], room: int) -> npt.NDArray[Number]:
    """The same rows in an array with room for more."""
    grown = np.empty((room, *rows.shape[1:]), rows.dtype)
    grown[: len(rows)] = rows
    return grown


def _coarse(prints: UInt8Array) -> FloatArray:
    """The normalised means over 8 x 8 cells: `[N, 192]`."""
    return _unit(_means(prints))


def _means(prints: UInt8Array) -> FloatArray:
    cell = PRINT_SIDE // COARSE_SIDE
    cells = prints.reshape(-1, COARSE_SIDE, cell, COARSE_SIDE, cell, 3)
    # Rows first, which lie together in memory: several times as fast as both at once.
    sums = cells.sum(axis=2, dtype=np.uint16).sum(axis=3, dtype=np.uint16)
    means: FloatArray = sums.reshape(len(prints), 3 * COARSE_SIDE**2).astype(np.float32) / cell**2
    return means


def _unit(layouts: FloatArray) -> FloatArray:
    """Without their mean and of length 1, so that a product is a correlation; brightness then drops out."""
    centred = layouts - layouts.mean(axis=-1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=-1, keepdims=True)
    unit: FloatArray = centred / np.maximum(lengths, 1e-3)
    return unit


@functools.cache
def _windows() -> tuple[FloatArray, FloatArray]:
    """For the whole picture and every crop the matrices that average its rows and its columns.

    Both are `[28, 16, 32]`.
    """
    crops = [(1.0, 0.0, 0.0), *itertools.product(CROP_SCALES, CROP_PLACES, CROP_PLACES)]
    down = [_window((1 - scale) * place, scale) for scale, place, _ in crops]
    right = [_window((1 - scale) * place, scale) for scale, _, place in crops]
    return np.stack(down), np.stack(right)


def _window(begin: float, size: float) -> FloatArray:
    """The matrix that averages a part of 32 pixels, given in shares of the whole, over 16 equal cells."""
    edges = PRINT_SIDE * (begin + size * np.arange(FINE_SIDE + 1) / FINE_SIDE)
    pixels = np.arange(PRINT_SIDE)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    weights: FloatArray = (overlap.clip(min=0.0) / (PRINT_SIDE * size / FINE_SIDE)).astype(np.float32)
    return weights
