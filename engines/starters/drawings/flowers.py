"""`flowers`: single blooms on a stem, seen from the front."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PIL import Image

from .paint import (
    Canvas,
    Colour,
    Dice,
    Outline,
    backdrop,
    colour,
    darker,
    ellipse,
    flip,
    lighter,
    mix,
    shift,
    smooth,
    stroke,
)
from .palette import GROUNDS, distance

_SEED = 3
"""This family's own part of the random seed."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What the petals of a kind of flower look like; lengths and widths in units."""

    name: str
    petals: int  # of the outermost ring
    rings: int
    length: float
    width: float
    shape: str  # how a petal ends: round, pointed, notched or drop
    centre: float  # radius of the flower's centre


KINDS = [
    Kind(name="daisy", petals=12, rings=1, length=29, width=10, shape="round", centre=9),
    Kind(name="sunflower", petals=14, rings=2, length=28, width=10, shape="pointed", centre=13),
    Kind(name="cosmos", petals=8, rings=1, length=30, width=20, shape="notched", centre=6),
    Kind(name="anemone", petals=7, rings=2, length=29, width=21, shape="round", centre=8),
    Kind(name="primrose", petals=5, rings=1, length=29, width=28, shape="notched", centre=5),
    Kind(name="buttercup", petals=6, rings=1, length=27, width=27, shape="round", centre=7),
    Kind(name="clematis", petals=6, rings=1, length=32, width=18, shape="pointed", centre=6),
    Kind(name="dahlia", petals=12, rings=3, length=31, width=13, shape="drop", centre=4),
]
PETALS = [
    (colour(code), name, colour(inner))
    for code, name, inner in (
        ("fbf7f2", "white", "f3d9e4"), ("ffd23f", "yellow", "f79824"), ("f79824", "orange", "d8432f"),
        ("ffb59a", "apricot", "ea6a5e"), ("e63946", "red", "8d1c3d"), ("9d2449", "wine red", "5b1230"),
        ("d6409f", "magenta", "7d1d71"), ("f58fb0", "pink", "d13b78"), ("b9a7f0", "lilac", "7b5cc4"),
        ("9b5de5", "violet", "5a2ca0"), ("4d7ee8", "blue", "2a3f9d"), ("7cc6f2", "light blue", "3f7fd0"),
    )
]  # fmt: skip
"""Name, colour and inner colour; each blends into the next, the last into the first."""
CENTRES = [
    (colour(code), name)
    for code, name in (("f6c02d", "yellow"), ("8a4b2a", "brown"), ("3a2a3f", "dark"), ("b7cf5a", "green"))
]
GREENS = [colour(c) for c in ("3f8f4f", "5aa653", "2f7a5c", "7aa542")]


@dataclass(frozen=True, kw_only=True)
class Flower:
    """Everything that tells one flower from another."""

    ground: Colour
    ground_name: str
    kind: Kind
    petal: Colour
    petal_name: str
    inner: Colour
    centre: Colour
    centre_name: str
    green: Colour
    bend: float
    leaves: tuple[float, float]  # how large the left and the right one are; 0: none
    size: float
    turn: float
    length: float
    width: float
    blush: float  # how far the inner colour reaches out from the centre
    x: float
    y: float


def flower(index: int) -> Flower:
    """The traits of flower `index`, always the same for the same index."""
    dice = Dice(_SEED, index)
    kind = dice.pick(KINDS)
    # Every colour goes over into its neighbours: between colours that stand apart, a network paints patches
    # of both.
    number, toward = dice.pick(range(len(PETALS))), dice.between(0, 0.5)
    (petal, petal_name, inner), (beside, _, inner_beside) = PETALS[number], PETALS[(number + 1) % len(PETALS)]
    petal, inner = mix(petal, beside, toward), mix(inner, inner_beside, toward)
    green = dice.pick(GREENS)
    grounds = [
        (tint, name) for tint, name in GROUNDS if distance(tint, petal) > 110 and distance(tint, green) > 80
    ]
    ground, ground_name = dice.pick(grounds)
    centres = [entry for entry in CENTRES if distance(entry[0], petal) > 90]
    centre, centre_name = dice.pick(centres)
    return Flower(
        ground=mix(ground, dice.pick(grounds)[0], dice.between(0, 0.5)),
        ground_name=ground_name,
        kind=kind,
        petal=petal,
        petal_name=petal_name,
        inner=inner,
        centre=mix(centre, dice.pick(centres)[0], dice.between(0, 0.5)),
        centre_name=centre_name,
        green=green,
        bend=dice.between(-7, 7),
        leaves=(dice.between(0.75, 1.1), dice.between(0.75, 1.1)),
        size=dice.between(1.04, 1.18),
        turn=dice.between(-4, 4),
        length=dice.between(0.94, 1.05),
        width=dice.between(0.9, 1.12),
        blush=dice.between(0.2, 0.6),
        x=dice.between(-0.8, 0.8),
        y=dice.between(-0.8, 0.8),
    )


def caption(index: int) -> str:
    """A short description of flower `index`."""
    what = flower(index)
    return (
        f"{what.petal_name} {what.kind.name} with a {what.centre_name} centre, {what.ground_name} background"
    )


def draw(index: int, size: int, oversampling: int) -> Image.Image:
    """Draws flower `index`, RGB, size x size pixels."""
    what = flower(index)
    canvas = Canvas(size, backdrop(what.ground), oversampling=oversampling)
    with canvas.placed(50 + what.x, 41 + what.y):
        _paint_stem(canvas, what)
    _paint_petals(canvas, what)
    with canvas.placed(50 + what.x, 41 + what.y, zoom=what.size):
        _paint_centre(canvas, what)
    return canvas.picture()


def _paint_stem(canvas: Canvas, what: Flower) -> None:
    """Paints stem and leaves; the origin is the middle of the bloom."""
    bend = what.bend
    stem = stroke((0, 8), (bend * 0.7, 30), (bend, 50), (bend * 0.8, 66), width=3.4)
    canvas.fill(darker(what.green, 0.3), stem)
    for side, size in zip((-1, 1), what.leaves, strict=True):
        tip, back = (26 * size, -13 * size), (10 * size, -13 * size)
        blade = smooth((0, 0), back, tip, (19 * size, -1 * size), (8 * size, 3 * size))
        leaf = canvas.fill(what.green, shift(flip(blade, side), bend * 0.95, 54))
        lower = smooth((0, 0), (13 * size, -6 * size), tip, (19 * size, -1 * size), (8 * size, 3 * size))
        shade = darker(what.green, 0.35)
        canvas.glaze(shade, shift(flip(lower, side), bend * 0.95, 54), inside=leaf, opacity=0.7)


def _paint_petals(canvas: Canvas, what: Flower) -> None:
    """Paints ring after ring, from the outermost; every second petal of a ring lies on top."""
    for ring in range(what.kind.rings):
        share = 1 - ring * 0.22
        length, width = what.kind.length * what.length * share, what.kind.width * what.width * share
        tint = mix(what.petal, lighter(what.petal, 0.5), 0.25 * ring)
        count = max(5, what.kind.petals - 2 * ring)
        for place in [*range(0, count, 2), *range(1, count, 2)]:
            turn = (place + ring / 2) * 360 / count
            with canvas.placed(50 + what.x, 41 + what.y, zoom=what.size, turn=what.turn + turn):
                _paint_petal(canvas, what, tint, length, width)


def _paint_petal(canvas: Canvas, what: Flower, tint: Colour, length: float, width: float) -> None:
    """Paints one petal from the origin upwards, with a dark edge that sets it off from its neighbours."""
    outline = _petal(what.kind.shape, length, width)
    canvas.fill(mix(darker(tint, 0.34), what.inner, 0.35), outline)
    blade = canvas.fill(tint, shift(outline * (0.88, 0.95), 0, -length * 0.012))
    blush = ellipse(0, 0, width * 0.5, length * (0.45 + what.blush * 0.5))
    canvas.glaze(what.inner, blush, inside=blade, opacity=0.6, soft=2.4)
    gleam = ellipse(-width * 0.12, -length * 0.76, width * 0.2, length * 0.14)
    canvas.glaze(lighter(tint, 0.6), gleam, inside=blade, opacity=0.5, soft=1.4)


def _petal(shape: str, length: float, width: float) -> Outline:
    """One petal from the origin upwards."""
    half = width / 2
    sides = {
        "round": ((-half * 0.55, 0.3), (-half, 0.66), (-half * 0.72, 0.92), (0, 1.0)),
        "notched": ((-half * 0.5, 0.3), (-half, 0.72), (-half * 0.62, 1.0), (0, 0.9)),
        "pointed": ((-half * 0.8, 0.3), (-half, 0.56), (-half * 0.5, 0.84), (0, 1.04)),
        "drop": ((-half * 0.5, 0.3), (-half, 0.72), (-half * 0.6, 0.93), (0, 1.03)),
    }[shape]
    left = [(x, -y * length) for x, y in sides]
    right = [(-x, y) for x, y in reversed(left[:-1])]
    return smooth((0, 0), *left, *right)


def _paint_centre(canvas: Canvas, what: Flower) -> None:
    radius = what.kind.centre
    canvas.fill(darker(what.centre, 0.45), ellipse(0, 0, radius * 1.08))
    disc = canvas.fill(what.centre, ellipse(0, -radius * 0.06, radius * 0.94))
    if radius >= 8:
        rim = math.tau * radius * 0.66
        count = round(rim / 3.6)
        seeds = [
            ellipse(radius * 0.66 * math.cos(a), radius * 0.66 * math.sin(a), 1.05)
            for a in (math.tau * place / count for place in range(count))
        ]
        canvas.glaze(darker(what.centre, 0.4), *seeds, inside=disc, opacity=0.8)
    glow = ellipse(-radius * 0.25, -radius * 0.3, radius * 0.5)
    canvas.glaze(lighter(what.centre, 0.55), glow, inside=disc, opacity=0.75, soft=radius * 0.2)
