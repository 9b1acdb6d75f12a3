"""Setting a subject that was cut out into surroundings that a small base knows. No torch here.

A handful of photographs shows a subject in one or two places, and a small base then takes place and subject
for one thing. Set into many places, each named in its caption, the keyword comes to mean the subject alone.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from engines import grounds
from engines.diffusion.cutouts import Cutout
from engines.english import article_for
from engines.images import FloatArray, UInt8Array

_PLAIN_SHARE = 0.45
_UNNAMED_SHARE = 0.4  # of plain colours: a prompt need not say what a subject is before
_SIZES = (0.72, 0.97)  # the subject's longer side, as a share of the picture's
_FEET = (0.86, 0.98)  # how far down it stands in surroundings
_ACROSS, _DOWN = (0.25, 0.75), (0.3, 0.7)  # where it lies in the room that is left

# What a caption calls them all.
PLACES = (
    *(phrase for phrase, _ in grounds.SURROUNDINGS.values()),
    *(f"on {article_for(colour)} {colour} background" for colour in grounds.COLOURS),
)


@dataclass(frozen=True)
class Placed:
    """A subject in surroundings: uint8 `[S, S, 3]`, the words for them (or none), where it is, `[S, S]`."""

    pixels: UInt8Array
    place: str
    alpha: FloatArray


def place(cutout: Cutout, side: int, rng: np.random.Generator, *, mirror: bool) -> Placed:
    """Set a subject into a drawn place or before a colour, in a square of `side` pixels."""
    is_plain = rng.random() < _PLAIN_SHARE
    ground = grounds.plain(rng, side) if is_plain else grounds.surrounding(rng, side)
    pixels, alpha = _resized(cutout, side * rng.uniform(*_SIZES))
    if mirror and rng.random() < 0.5:
        pixels, alpha = pixels[:, ::-1], alpha[:, ::-1]
    height, width = alpha.shape
    left = round((side - width) * rng.uniform(*_ACROSS))
    top = _top(cutout, side, height, rng, is_plain=is_plain)
    inside = slice(top, top + height), slice(left, left + width)
    whole = ground.pixels.astype(np.float32)
    whole[inside] += alpha[..., None] * (pixels - whole[inside])
    mask = np.zeros((side, side), np.float32)
    mask[inside] = alpha
    is_named = not is_plain or rng.random() >= _UNNAMED_SHARE
    return Placed(whole.round().clip(0, 255).astype(np.uint8), ground.phrase if is_named else "", mask)


def _top(cutout: Cutout, side: int, height: int, rng: np.random.Generator, *, is_plain: bool) -> int:
    room = side - height
    if cutout.reaches_below:
        return room
    if is_plain:
        return round(room * rng.uniform(*_DOWN))
    return min(room, max(0, round(side * rng.uniform(*_FEET)) - height))


def _resized(cutout: Cutout, longer: float) -> tuple[FloatArray, FloatArray]:
    """Pixels float32 `[H, W, 3]` and alpha `[H, W]`, with the longer side so many pixels."""
    height, width = cutout.alpha.shape
    factor = longer / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    pixels = Image.fromarray(cutout.pixels).resize(size, Image.Resampling.LANCZOS)
    alpha = Image.fromarray(cutout.alpha).resize(size, Image.Resampling.BOX)
    return np.asarray(pixels, np.float32), np.asarray(alpha, np.float32)
