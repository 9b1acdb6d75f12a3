"""Hair for the drawn faces: every style is a mass behind the head and a shape in front of it.

Coordinates are relative to the middle of the head: the crown lies at y = -26, the eyes at y = 1, the chin at
y = 26, the temples at x = -20 and 20.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from .paint import (
    Canvas,
    Colour,
    Mask,
    Outline,
    darker,
    ellipse,
    flip,
    lighter,
    mirrored,
    shift,
    smooth,
    stroke,
)

Shapes = list[Outline]


@dataclass(frozen=True)
class HairStyle:
    """One hair style: functions giving its shapes before and behind the head, and what it goes with."""

    name: str
    front: Callable[[], Shapes]
    back: Callable[[], Shapes] = field(default=list)
    covers_ears: bool = False
    takes_hat: bool = True
    curly: bool = False


def curls(radii: tuple[float, float], y: float, size: float, arc: tuple[float, float], count: int) -> Shapes:
    """Balls set along an ellipse around (0, y), over an arc in degrees (0 = right, 90 = down)."""
    (rx, ry), (start, end) = radii, arc
    angles = [math.radians(start + (end - start) * i / (count - 1)) for i in range(count)]
    swell = (1.0, 1.14, 0.94, 1.08)
    return [
        ellipse(math.cos(a) * rx, y + math.sin(a) * ry, size * swell[i % 4]) for i, a in enumerate(angles)
    ]


def _bald() -> Shapes:
    return []


def _buzz() -> Shapes:
    return [
        smooth(
            (-20.6, -1), (-21, -12), (-15.5, -23.5), (0, -28), (15.5, -23.5), (21, -12), (20.6, -1),
            (18.6, -6), (16, -13.5), (8, -15.5), (0, -14.5), (-8, -15.5), (-16, -13.5), (-18.6, -6),
        )
    ]  # fmt: skip


def _crop() -> Shapes:
    return [
        smooth(
            (-20.8, 1), (-22.4, -9), (-21, -22), (-12, -30.5), (3, -32.5), (16, -29), (22.4, -19),
            (22.4, -8), (20.8, 1), (18.4, -6), (16, -13), (6, -12), (-3, -16.5), (-12, -14.5),
            (-16.5, -11), (-18.4, -6),
        )
    ]  # fmt: skip


def _quiff() -> Shapes:
    return [
        smooth(
            (-20.8, 0), (-22, -9), (-22.5, -20), (-20, -32), (-8, -38), (6, -36.5), (17, -30), (22, -18),
            (21.8, -8), (20.8, 0), (18.2, -7), (15, -15), (4, -18), (-6, -17), (-15, -14.5), (-18.2, -7),
        )
    ]  # fmt: skip


def _pixie() -> Shapes:
    return [
        smooth(
            (-20.4, 8), (-23.4, -4), (-22.4, -20), (-12, -30), (3, -31.8), (17, -27), (23.4, -14), (23, 0),
            (20.4, 9), (19, 0), (16.5, -8), (10, -14), (4, -8.5), (-6, -6.5), (-16, -7.5), (-19, -1),
        )
    ]  # fmt: skip


def _curly_crop() -> Shapes:
    return [*curls((18, 15), -13, 7.2, (172, 368), 12), *curls((11, 6), -20, 7, (180, 360), 5)]


def _afro_back() -> Shapes:
    return [ellipse(0, -8, 29, 27), *curls((27, 25), -8, 7, (130, 410), 17)]


def _afro_front() -> Shapes:
    return curls((18.5, 12), -14.5, 6.4, (172, 368), 10)


def _bob_front() -> Shapes:
    return [
        smooth(
            (-20.5, 24), (-25, 19), (-25.5, 2), (-24, -16), (-14, -29), (0, -32.5), (14, -29), (24, -16),
            (25.5, 2), (25, 19), (20.5, 24), (18.6, 14), (18.4, 0), (17, -8.5), (8, -8), (0, -7.4),
            (-8, -8), (-17, -8.5), (-18.4, 0), (-18.6, 14),
        )
    ]  # fmt: skip


def _bob_back() -> Shapes:
    return [mirrored((0, -30), (-19, -26), (-25, -8), (-25.5, 16), (-21, 26), (-8, 28), (0, 28))]


def _parted_front() -> Shapes:
    side = smooth(
        (1.5, -30.5), (-13, -30), (-23.5, -17), (-26, 4), (-26.5, 26), (-25, 42), (-20, 43), (-17.5, 30),
        (-19, 14), (-18.6, 0), (-15, -10), (-6, -18), (1.5, -22),
    )  # fmt: skip
    return [side, flip(side, -1)]


def _long_back() -> Shapes:
    return [mirrored((0, -29), (-18, -27), (-25, -10), (-27, 20), (-27, 42), (-20, 52), (0, 54))]


def _swept_front() -> Shapes:
    return [
        smooth(
            (-22, 40), (-26.5, 30), (-27, 8), (-24.5, -15), (-15, -29), (2, -33), (17, -28), (24.5, -14),
            (26.5, 8), (26, 30), (22, 40), (18.4, 28), (19, 10), (17.5, -5), (13, -18), (4, -13), (-8, -6),
            (-17.4, 2), (-18.6, 14), (-18, 28),
        )
    ]  # fmt: skip


def _wavy_front() -> Shapes:
    side = smooth(
        (1.5, -31), (-14, -31), (-25, -19), (-26, -6), (-29.5, 4), (-27, 14), (-31, 24), (-28, 34),
        (-29, 43), (-21, 43), (-20.5, 33), (-17.5, 25), (-20.5, 15), (-18, 4), (-18.5, -5), (-12, -14),
        (1.5, -21),
    )  # fmt: skip
    return [side, flip(side, -1)]


def _wavy_back() -> Shapes:
    return [
        mirrored(
            (0, -29), (-20, -26), (-26, -8), (-29, 6), (-27, 15), (-30, 25), (-28, 35), (-29, 45),
            (-16, 52), (0, 53),
        )
    ]  # fmt: skip


def _bun_front() -> Shapes:
    return [
        smooth(
            (-20.2, 6), (-22, -6), (-20.5, -20), (-11, -29), (0, -31), (11, -29), (20.5, -20), (22, -6),
            (20.2, 6), (18.8, -3), (15.5, -12), (8, -17), (0, -18.5), (-8, -17), (-15.5, -12), (-18.8, -3),
        )
    ]  # fmt: skip


def _bun_back() -> Shapes:
    return [ellipse(0, -33.5, 10, 8.5)]


def _space_buns_back() -> Shapes:
    return [ellipse(-18, -29, 8.6), ellipse(18, -29, 8.6)]


def _fringe_front() -> Shapes:
    return [
        smooth(
            (-20.2, 10), (-23, -3), (-22, -18), (-13, -28.5), (0, -31.5), (13, -28.5), (22, -18), (23, -3),
            (20.2, 10), (19, 0), (16.6, -8), (9, -9), (0, -7.6), (-9, -9), (-16.6, -8), (-19, 0),
        )
    ]  # fmt: skip


def _pigtails_back() -> Shapes:
    tail = smooth(
        (-18, -10),
        (-25, -13),
        (-32, -7),
        (-35, 8),
        (-34, 24),
        (-30, 37),
        (-26, 33),
        (-24, 20),
        (-24, 6),
        (-18, 0),
    )
    return [tail, flip(tail, -1)]


def _ponytail_back() -> Shapes:
    return [
        smooth(
            (8, -28),
            (20, -34),
            (31, -27),
            (34, -10),
            (32, 10),
            (35, 27),
            (27, 40),
            (24, 24),
            (24, 6),
            (22, -12),
            (14, -22),
        )
    ]


def _curly_long_back() -> Shapes:
    return [
        mirrored((0, -26), (-22, -20), (-27, 8), (-24, 34), (0, 38)),
        *curls((26.5, 31), 4, 7.6, (118, 422), 19),
    ]


def _curly_long_front() -> Shapes:
    return [
        *curls((17.5, 11.5), -15.5, 6.6, (176, 364), 9),
        *(ellipse(side * x, y, r) for side in (-1, 1) for x, y, r in LONG_CURLS),
    ]


LONG_CURLS = ((22.2, -7, 5.6), (24, 1, 5.8), (24.6, 9, 6.0), (24.4, 17, 6.2), (24.8, 25, 6.4))

STYLES = {
    style.name: style
    for style in (
        HairStyle("bald", _bald),
        HairStyle("buzz cut", _buzz),
        HairStyle("short crop", _crop),
        HairStyle("quiff", _quiff, takes_hat=False),
        HairStyle("pixie cut", _pixie),
        HairStyle("short curls", _curly_crop, takes_hat=False, curly=True),
        HairStyle("afro", _afro_front, _afro_back, covers_ears=True, takes_hat=False, curly=True),
        HairStyle("bob", _bob_front, _bob_back, covers_ears=True),
        HairStyle("long parted hair", _parted_front, _long_back, covers_ears=True),
        HairStyle("long swept hair", _swept_front, _long_back, covers_ears=True),
        HairStyle("waves", _wavy_front, _wavy_back, covers_ears=True),
        HairStyle("top bun", _bun_front, _bun_back, takes_hat=False),
        HairStyle("space buns", _fringe_front, _space_buns_back, takes_hat=False),
        HairStyle("pigtails", _fringe_front, _pigtails_back),
        HairStyle("ponytail", _bun_front, _ponytail_back, takes_hat=False),
        HairStyle(
            "long curls", _curly_long_front, _curly_long_back, covers_ears=True, takes_hat=False, curly=True
        ),
    )
}


def paint_back(canvas: Canvas, style: HairStyle, tint: Colour, side: int) -> None:
    """Paints what hangs or stands behind head and shoulders; `side` = -1 mirrors the style."""
    shapes = [flip(shape, side) for shape in style.back()]
    if not shapes:
        return
    mass = canvas.fill(darker(tint, 0.3), *shapes)
    canvas.glaze(lighter(tint, 0.05), ellipse(-10, -30, 22, 16), inside=mass, opacity=0.75, soft=6)
    canvas.glaze(darker(tint, 0.75), ellipse(0, 26, 19, 22), inside=mass, opacity=0.7, soft=5)


def paint_front(
    canvas: Canvas, style: HairStyle, tint: Colour, side: int, *, head: Mask, shadow: Colour
) -> None:
    """Paints the hair over the forehead and the shadow it casts on the face."""
    shapes = [flip(shape, side) for shape in style.front()]
    if not shapes:
        return
    cast = [shift(shape, 0.6, 2.2) for shape in shapes]
    canvas.glaze(shadow, *cast, inside=head, opacity=0.55, soft=1.3)
    mass = canvas.mask(*shapes)
    canvas.paint(mass, tint, 0.9 if style.name == "buzz cut" else 1.0)
    _shade(canvas, mass, tint)
    if not style.curly:
        shine = stroke((-19, -13), (-14.5, -20), (-7, -24.5), (2, -26), (9, -24.5), width=2.6, taper=0.9)
        canvas.glaze(lighter(tint, 0.55), shine, inside=mass, opacity=0.5, soft=0.5)


def _shade(canvas: Canvas, mass: Mask, tint: Colour) -> None:
    """Depth: a dark lower right and a lit crown."""
    canvas.glaze(darker(tint, 0.55), ellipse(25, 6, 14, 34), inside=mass, opacity=0.6, soft=6)
    canvas.glaze(darker(tint, 0.5), ellipse(-24, 38, 12, 22), inside=mass, opacity=0.55, soft=6)
    canvas.glaze(lighter(tint, 0.3), ellipse(-9, -27, 13, 8, turn=-20), inside=mass, opacity=0.55, soft=4)
