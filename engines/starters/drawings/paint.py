"""A small painting kit shared by the drawn families: dice, colours, outlines, soft masks and a canvas.

Everything is laid out on a square of 100 x 100 units, y downwards, whatever the pixel size. A canvas is
painted larger than asked for and reduced at the end, so edges come out smooth. Only NumPy and Pillow are
used, and no fonts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

UNITS = 100.0

Colour = tuple[int, int, int]
Outline = NDArray[np.float64]
"""Corner points of a closed shape, float64 [N, 2], in units."""

T = TypeVar("T")

_ANGLES = np.arange(40) * (2 * math.pi / 40)
_CIRCLE: Outline = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)

SHADE: Colour = (38, 18, 58)
LIGHT: Colour = (255, 246, 228)


class Dice:
    """Reproducible choices for one picture.

    Only `Generator.random()` is used underneath: it is the stream least likely to change between versions of
    NumPy, which promises nothing for `choice` or `normal`.
    """

    def __init__(self, *entropy: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))

    def between(self, low: float, high: float) -> float:
        """A number drawn evenly from low (included) to high (excluded)."""
        return low + (high - low) * float(self._generator.random())

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return float(self._generator.random()) < probability

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, each as likely as the others."""
        return options[int(self._generator.random() * len(options))]

    def weigh(self, options: Sequence[tuple[T, float]]) -> T:
        """One of the (option, weight) pairs' options, in proportion to its weight."""
        mark = float(self._generator.random()) * sum(weight for _, weight in options)
        for option, weight in options:
            mark -= weight
            if mark < 0:
                return option
        return options[-1][0]


def colour(code: str) -> Colour:
    """The colour of a hexadecimal code such as "f4a261"."""
    value = int(code, 16)
    return value >> 16, value >> 8 & 255, value & 255


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """A blend with this share (0..1) of the second colour."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def darker(base: Colour, share: float) -> Colour:
    """The colour in shadow: towards a deep violet, which keeps shadows lively where black would grey them."""
    red, green, blue = (round((a * b / 255 + b) / 2) for a, b in zip(base, SHADE, strict=True))
    return mix(base, (red, green, blue), share)


def skin_shadow(skin: Colour, share: float) -> Colour:
    """Skin in shadow: redder than other surfaces, since some of the light comes back from under it."""
    return mix(darker(skin, share), (190, 66, 50), 0.16)


def lighter(base: Colour, share: float) -> Colour:
    """The colour in light: towards a warm white."""
    return mix(base, LIGHT, share)


def brightness(base: Colour) -> float:
    """Perceived brightness, 0 (black) to 1 (white), by the Rec. 601 weights."""
    return (0.299 * base[0] + 0.587 * base[1] + 0.114 * base[2]) / 255


def points(*pairs: tuple[float, float]) -> Outline:
    """An outline with straight edges."""
    return np.array(pairs, dtype=np.float64)


def smooth(*pairs: tuple[float, float], closed: bool = True, steps: int = 10) -> Outline:
    """A Catmull-Rom curve through the points: rounded where `points` has corners."""
    knots = np.array(pairs, dtype=np.float64)
    if closed:
        before, after, beyond = np.roll(knots, 1, 0), np.roll(knots, -1, 0), np.roll(knots, -2, 0)
    else:
        padded = np.concatenate([knots[:1], knots, knots[-1:]])
        before, knots, after, beyond = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    t = (np.arange(steps) / steps)[None, :, None]
    p0, p1, p2, p3 = (part[:, None, :] for part in (before, knots, after, beyond))
    curve = 0.5 * (
        2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    )
    curve = curve.reshape(-1, 2)
    return curve if closed else np.concatenate([curve, after[-1:]])


def mirrored(*half: tuple[float, float]) -> Outline:
    """A smooth shape symmetric about x = 0, from its left half listed from top to bottom."""
    other = [(-x, y) for x, y in reversed(half) if abs(x) > 1e-9]
    return smooth(*half, *other)


def ellipse(x: float, y: float, rx: float, ry: float | None = None, *, turn: float = 0.0) -> Outline:
    """An ellipse around (x, y); `turn` in degrees, clockwise as seen."""
    return shift(rotate(_CIRCLE * (rx, rx if ry is None else ry), turn), x, y)


def rotate(outline: Outline, degrees: float, pivot: tuple[float, float] = (0.0, 0.0)) -> Outline:
    """The outline turned clockwise (as seen) about the pivot."""
    if degrees == 0:
        return outline
    angle = math.radians(degrees)
    matrix = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    turned: Outline = (outline - pivot) @ matrix + pivot
    return turned


def shift(outline: Outline, x: float, y: float) -> Outline:
    """The outline moved by (x, y)."""
    moved: Outline = outline + np.array([x, y])
    return moved


def flip(outline: Outline, side: int) -> Outline:
    """The outline itself for side = 1, its mirror image about x = 0 for side = -1."""
    return outline * (side, 1)


def stroke(*pairs: tuple[float, float], width: float, taper: float = 0.0) -> Outline:
    """The outline of a brush stroke along a smooth open curve.

    `taper` from 0 (even, round ends) to 1 (both ends run out to points).
    """
    line = smooth(*pairs, closed=False, steps=8)
    along = np.gradient(line, axis=0)
    length = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / length[:, None]
    t = np.linspace(0.0, 1.0, len(line))
    half = (width / 2 * (1 - taper * (1 - np.sin(math.pi * t))))[:, None]
    edge = np.concatenate([line + normal * half, (line - normal * half)[::-1]])
    if taper >= 1:
        return edge
    # Round the ends by walking a half circle between the two edges.
    ends = []
    for end, sign in ((-1, 1.0), (0, -1.0)):
        angles = np.linspace(math.pi / 2, -math.pi / 2, 8)[1:-1]
        tip, ahead, aside = line[end], along[end] / length[end] * sign, normal[end] * sign
        ends.append(tip + half[end] * (np.cos(angles)[:, None] * ahead + np.sin(angles)[:, None] * aside))
    count = len(line)
    return np.concatenate([edge[:count], ends[0], edge[count:], ends[1]])


@dataclass(frozen=True)
class Mask:
    """Where paint goes: an alpha image (mode L), its upper left corner at pixel (left, top) of a canvas."""

    left: int
    top: int
    alpha: Image.Image

    def within(self, other: Mask) -> Mask:
        """The part that lies inside the other mask."""
        left, top = max(self.left, other.left), max(self.top, other.top)
        right = min(self.left + self.alpha.width, other.left + other.alpha.width)
        bottom = min(self.top + self.alpha.height, other.top + other.alpha.height)
        box = left, top, max(right, left + 1), max(bottom, top + 1)
        return Mask(left, top, ImageChops.multiply(self._seen(box), other._seen(box)))

    def without(self, other: Mask) -> Mask:
        """The part that lies outside the other mask."""
        box = self.left, self.top, self.left + self.alpha.width, self.top + self.alpha.height
        return Mask(self.left, self.top, ImageChops.multiply(self.alpha, ImageChops.invert(other._seen(box))))

    def fading(self, start: float, end: float) -> Mask:
        """The mask with its opacity running evenly from start (at its top) to end (at its bottom)."""
        column = Image.fromarray(np.linspace(start * 255, end * 255, 64).round().astype(np.uint8)[:, None])
        ramp = column.resize(self.alpha.size, Image.Resampling.BILINEAR)
        return Mask(self.left, self.top, ImageChops.multiply(self.alpha, ramp))

    def _seen(self, box: tuple[int, int, int, int]) -> Image.Image:
        """The alpha in a rectangle of the canvas, filled up with nothing where it does not reach."""
        return self.alpha.crop((box[0] - self.left, box[1] - self.top, box[2] - self.left, box[3] - self.top))


@lru_cache(maxsize=128)
def _levels(opacity: float) -> list[int]:
    return [round(level * opacity) for level in range(256)]


def _polygons(
    shapes: list[Outline], origin: tuple[int, int], reduction: float, size: tuple[int, int]
) -> Image.Image:
    """An image (mode L) of this size in which the shapes are white, seen from the origin and made smaller."""
    alpha = Image.new("L", size, 0)
    pen = ImageDraw.Draw(alpha)
    for shape in shapes:
        pen.polygon(((shape - origin) / reduction).ravel().tolist(), fill=255)
    return alpha


def backdrop(ground: Colour) -> Image.Image:
    """A plain background with light falling from the upper left, as a small RGB image to be enlarged."""
    y, x = (np.mgrid[0:64, 0:64] + 0.5) / 64
    glow = 0.6 * np.exp(-((x - 0.4) ** 2 + (y - 0.36) ** 2) / (2 * 0.24**2))[..., None]
    shade = (0.55 * y)[..., None]
    base = np.array(ground) * (1 - shade) + np.array(darker(ground, 0.28)) * shade
    lit = base * (1 - glow) + np.array(lighter(ground, 0.55)) * glow
    return Image.fromarray(lit.round().astype(np.uint8))


class Canvas:
    """A square picture under construction, painted at `oversampling` times its final size."""

    def __init__(self, size: int, backdrop: Image.Image, *, oversampling: int) -> None:
        self.size = size
        self._side = size * oversampling
        self._scale = self._side / UNITS
        self._image = backdrop.resize((self._side, self._side), Image.Resampling.BICUBIC)
        self._shift = (0.0, 0.0)
        self._zoom = 1.0
        self._turn = 0.0
        self._pivot = (0.0, 0.0)

    @contextmanager
    def placed(
        self,
        x: float,
        y: float,
        *,
        zoom: float = 1.0,
        turn: float = 0.0,
        pivot: tuple[float, float] = (0.0, 0.0),
    ) -> Iterator[None]:
        """Moves the origin of what is drawn inside to (x, y), zooms, and turns by degrees about the pivot."""
        saved = self._shift, self._zoom, self._turn, self._pivot
        self._shift, self._zoom, self._turn, self._pivot = (x, y), zoom, turn, pivot
        try:
            yield
        finally:
            self._shift, self._zoom, self._turn, self._pivot = saved

    def mask(self, *outlines: Outline, soft: float = 0.0) -> Mask:
        """The union of the outlines as a mask; `soft` blurs its edge (standard deviation in units)."""
        shapes = [self._placed(outline) for outline in outlines]
        corners = np.concatenate(shapes)
        margin = soft * self._scale * 2.5 + 1
        left, top = (math.floor(v - margin) for v in corners.min(0))
        right, bottom = (math.ceil(v + margin) for v in corners.max(0))
        x0, y0 = max(left, 0), max(top, 0)
        width, height = min(right, self._side) - x0, min(bottom, self._side) - y0
        if width <= 0 or height <= 0:
            return Mask(0, 0, Image.new("L", (1, 1), 0))  # nothing of it shows
        if not soft:
            alpha = _polygons(shapes, (x0, y0), 1.0, (width, height))
            return Mask(x0, y0, alpha)
        # A blurred mask carries no detail, so it is made small and enlarged: the same look in less time.
        reduction = max(1.0, soft * self._scale / 2)
        small = math.ceil((right - left) / reduction) + 1, math.ceil((bottom - top) / reduction) + 1
        alpha = _polygons(shapes, (left, top), reduction, small)
        alpha = alpha.filter(ImageFilter.GaussianBlur(soft * self._scale / reduction))
        seen = (x0 - left, y0 - top, x0 - left + width, y0 - top + height)
        box = tuple(min(edge / reduction, limit) for edge, limit in zip(seen, small * 2, strict=True))
        return Mask(x0, y0, alpha.resize((width, height), Image.Resampling.BILINEAR, box=box))

    def _placed(self, outline: Outline) -> Outline:
        """An outline's corners in pixels of the canvas."""
        placed: Outline = (rotate(outline, self._turn, self._pivot) * self._zoom + self._shift) * self._scale
        return placed

    def paint(self, mask: Mask, tint: Colour, opacity: float = 1.0) -> Mask:
        """Lays a colour on through the mask and gives the mask back."""
        alpha = mask.alpha
        if opacity < 1:
            alpha = alpha.point(_levels(opacity))
        self._image.paste(tint, (mask.left, mask.top), alpha)
        return mask

    def fill(self, tint: Colour, *outlines: Outline) -> Mask:
        """Paints the union of the outlines in one colour and returns its mask."""
        return self.paint(self.mask(*outlines), tint)

    def glaze(
        self, tint: Colour, *outlines: Outline, inside: Mask, opacity: float = 1.0, soft: float = 0.0
    ) -> None:
        """Paints only inside a mask: shadows and lights (with `soft` edges), patterns (without)."""
        self.paint(self.mask(*outlines, soft=soft).within(inside), tint, opacity)

    def picture(self) -> Image.Image:
        """The finished picture, RGB, reduced to the size asked for."""
        return self._image.resize((self.size, self.size), Image.Resampling.LANCZOS)
