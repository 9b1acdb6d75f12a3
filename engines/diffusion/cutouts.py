"""Cutting a subject out of its picture, so that it can be set into other surroundings. No torch here.

GrabCut (Rother, Kolmogorov and Blake 2004): colours tell what is subject and what is ground, from a first
guess that is bettered in turns: the upper border and the sides are ground, an oval in the middle probably
subject.
"""

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from engines.images import FloatArray, UInt8Array

BoolArray: TypeAlias = npt.NDArray[np.bool_]

SIDE = 256  # of the copy that is looked at; small bases see no more
_ROUNDS = 6
_FLAT = 4.0  # levels of 255: less contrast than that shows nothing
_BORDER, _OVAL = 0.04, 0.42  # shares of the sides: what is ground for certain, and half the oval's width
_LEAST, _MOST = 0.03, 0.85  # share of the picture that a subject plausibly has
_SCRAP = 0.05  # parts below this share of the largest one do not belong to the subject
_HOLE = 0.06  # holes below this share of the subject do


@dataclass(frozen=True)
class Cutout:
    """A subject without its ground, no larger than its own outline.

    `pixels` is uint8 `[H, W, 3]`, `alpha` float32 `[H, W]`: 1 where the subject is. `reaches_below` says that
    the picture's lower edge cuts it off, as that of a portrait does: it has nothing to stand on then.
    """

    pixels: UInt8Array
    alpha: FloatArray
    reaches_below: bool


def cut_out(image: Image.Image) -> Cutout | None:
    """The subject of an RGB picture, at most SIDE pixels wide and high; None where none stands out.

    The same picture gives the same cutout.
    """
    small = image.copy()
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    pixels = np.asarray(small)
    if pixels.std(axis=(0, 1)).max() < _FLAT:  # GrabCut would take long to find nothing
        return None
    border = max(2, round(_BORDER * min(pixels.shape[:2])))
    subject = _whole(_grabbed(pixels, border))
    if not _LEAST <= subject.mean() <= _MOST:
        return None
    rows, columns = np.flatnonzero(subject.any(axis=1)), np.flatnonzero(subject.any(axis=0))
    outline = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return Cutout(
        pixels=pixels[outline],
        alpha=subject[outline].astype(np.float32),
        reaches_below=bool(rows[-1] >= len(subject) - border - 2),
    )


def _grabbed(pixels: UInt8Array, border: int) -> BoolArray:
    """What GrabCut takes for the subject, `[H, W]`."""
    height, width = pixels.shape[:2]
    mask = np.full((height, width), cv2.GC_BGD, np.uint8)
    mask[border:, border:-border] = cv2.GC_PR_BGD  # a portrait may be cut off below
    y, x = np.mgrid[:height, :width]
    mask[((y / height - 0.5) / _OVAL) ** 2 + ((x / width - 0.5) / _OVAL) ** 2 < 1] = cv2.GC_PR_FGD
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))  # of ground and subject: OpenCV's working memory
    blue_first = np.ascontiguousarray(pixels[..., ::-1])
    cv2.grabCut(blue_first, mask, (0, 0, 0, 0), *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    subject: BoolArray = (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)
    return subject


def _whole(subject: BoolArray) -> BoolArray:
    """Without scraps and small holes: a subject is one thing, or a few."""
    parts, areas = _parts(subject)
    if not len(areas):
        return subject
    kept = np.isin(parts, 1 + np.flatnonzero(areas >= _SCRAP * areas.max()))
    gaps, areas = _parts(~kept)
    filled: BoolArray = kept | np.isin(gaps, 1 + np.flatnonzero(areas < _HOLE * kept.sum()))
    return filled


def _parts(mask: BoolArray) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """The number of the part that each pixel belongs to, 0 outside; and the area of each."""
    _, labels, figures, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    return np.asarray(labels, np.int32), np.asarray(figures[1:, cv2.CC_STAT_AREA], np.int32)
