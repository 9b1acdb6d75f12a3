"""A small painting kit: outlines, soft masks, a canvas, colours and dice, shared by the drawn families.

Everything is laid out on a square of 100 x 100 units, y downwards, whatever the pixel size. A canvas is painted
larger than asked for and reduced at the end, so edges come out smooth. Only NumPy and Pillow are used, and no fonts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

UNITS = 100.0

Colour = tuple[int, int, int]
Outline = NDArray[np.float64]
"""Corner points of a closed shape, float64 [N, 2], in units."""

T = TypeVar("T")

SHADE: Colour = (38, 18, 58)
LIGHT: Colour = (255, 246, 228)


class Dice:
    """Reproducible choices for one picture.

    Only `Generator.random()` is used underneath: NumPy keeps that stream unchanged between its versions, which it
    does not promise for `choice` or `normal`.
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
    return mix(base, tuple_product(base, SHADE), share)


def lighter(base: Colour, share: float) -> Colour:
    """The colour in light: towards a warm white."""
    return mix(base, LIGHT, share)


def tuple_product(first: Colour, second: Colour) -> Colour:
    """Multiplies two colours and lifts the result a little, as a coloured shadow does."""
    red, green, blue = (round((a * b / 255 + b) / 2) for a, b in zip(first, second, strict=True))
    return red, green, blue


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
    t = np.linspace(0.0, 1.0, steps, endpoint=False)[None, :, None]
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
    angles = np.linspace(0.0, 2 * math.pi, 40, endpoint=False)
    flat = np.stack([np.cos(angles) * rx, np.sin(angles) * (rx if ry is None else ry)], axis=1)
    return rotate(flat, turn) + (x, y)


def rotate(outline: Outline, degrees: float, pivot: tuple[float, float] = (0.0, 0.0)) -> Outline:
    """The outline turned clockwise (as seen) about the pivot."""
    angle = math.radians(degrees)
    matrix = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    turned: Outline = (outline - pivot) @ matrix + pivot
    return turned


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
    """Where paint goes: an alpha image (mode L) whose upper left corner lies at (left, top) pixels of a canvas."""

    left: int
    top: int
    alpha: Image.Image

    def within(self, other: Mask) -> Mask:
        """The part that lies inside the other mask."""
        return Mask(self.left, self.top, ImageChops.multiply(self.alpha, self._aligned(other)))

    def without(self, other: Mask) -> Mask:
        """The part that lies outside the other mask."""
        outside = ImageChops.invert(self._aligned(other))
        return Mask(self.left, self.top, ImageChops.multiply(self.alpha, outside))

    def fading(self, start: float, end: float) -> Mask:
        """The mask with its opacity running evenly from start (at its top) to end (at its bottom)."""
        column = Image.fromarray(np.linspace(start * 255, end * 255, 64).round().astype(np.uint8)[:, None])
        ramp = column.resize(self.alpha.size, Image.Resampling.BILINEAR)
        return Mask(self.left, self.top, ImageChops.multiply(self.alpha, ramp))

    def _aligned(self, other: Mask) -> Image.Image:
        """The other mask's alpha, cropped or filled up with nothing to this mask's rectangle."""
        left, top = self.left - other.left, self.top - other.top
        return other.alpha.crop((left, top, left + self.alpha.width, top + self.alpha.height))


class Canvas:
    """A square picture under construction, painted at `oversampling` times its final size."""

    def __init__(self, size: int, ground: Colour, *, oversampling: int) -> None:
        self.size = size
        self._side = size * oversampling
        self._image = Image.new("RGB", (self._side, self._side), ground)
        self._turn = 0.0
        self._shift = (0.0, 0.0)
        self._pivot = (UNITS / 2, UNITS / 2)

    @contextmanager
    def placed(
        self, x: float, y: float, *, turn: float = 0.0, pivot: tuple[float, float] = (0, 0)
    ) -> Iterator[None]:
        """Moves the origin to (x, y) for what is drawn inside, turned by degrees about the pivot (from there)."""
        saved = self._shift, self._turn, self._pivot
        self._shift, self._turn, self._pivot = (x, y), turn, pivot
        yield
        self._shift, self._turn, self._pivot = saved

    def mask(self, *outlines: Outline, soft: float = 0.0) -> Mask:
        """The union of the outlines as a mask; `soft` blurs its edge (standard deviation in units)."""
        scale = self._side / UNITS
        shapes = [(rotate(o, self._turn, self._pivot) + self._shift) * scale for o in outlines]
        corners = np.concatenate(shapes)
        margin = soft * scale * 2.5 + 1
        left, top = (max(0, math.floor(v - margin)) for v in corners.min(0))
        right, bottom = (min(self._side, math.ceil(v + margin)) for v in corners.max(0))
        width, height = max(1, right - left), max(1, bottom - top)
        # A blurred mask carries no detail, so it is made small and enlarged: the same look in a fraction of the time.
        reduction = max(1.0, soft * scale / 2)
        small = max(1, math.ceil(width / reduction)), max(1, math.ceil(height / reduction))
        alpha = Image.new("L", small, 0)
        pen = ImageDraw.Draw(alpha)
        for shape in shapes:
            pen.polygon([(x, y) for x, y in ((shape - (left, top)) / reduction).tolist()], fill=255)
        if soft:
            alpha = alpha.filter(ImageFilter.GaussianBlur(soft * scale / reduction))
            alpha = alpha.resize((width, height), Image.Resampling.BILINEAR)
        return Mask(left, top, alpha)

    def paint(self, mask: Mask, tint: Colour, opacity: float = 1.0) -> Mask:
        """Lays a colour on through the mask and gives the mask back."""
        alpha = mask.alpha
        if opacity < 1:
            alpha = alpha.point([round(level * opacity) for level in range(256)])
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
