"""What the drawn faces wear: clothes, glasses, earrings and hats, in head coordinates (see `hair`)."""

from __future__ import annotations

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
    points,
    shift,
    skin_shadow,
    smooth,
    stroke,
)

CLOTHES = ("crew neck", "striped top", "turtleneck", "shirt", "v-neck", "hoodie", "jacket", "dungarees")
GLASSES = ("round glasses", "square glasses", "sunglasses")
HATS = ("beanie", "beret", "cap", "bucket hat", "headband")

DARK_GLASS: Colour = (38, 32, 52)

NECK = mirrored((0, 14), (-9.6, 14), (-9.4, 26), (-10.5, 33), (-15, 37), (-9, 44), (0, 46))
SHOULDERS = mirrored((0, 33.5), (-10, 33.5), (-19, 37), (-29, 42), (-35, 50), (-38, 62), (-20, 66), (0, 66))


def paint_clothes(canvas: Canvas, kind: str, *, main: Colour, accent: Colour, skin: Colour) -> None:
    """Paints neck, shoulders and a piece of clothing."""
    if kind == "hoodie":
        hood = canvas.fill(darker(main, 0.2), mirrored((0, 24), (-14, 26), (-22, 34), (-20, 44), (0, 46)))
        canvas.glaze(darker(main, 0.8), ellipse(0, 34, 14, 9), inside=hood, opacity=0.6, soft=3)
    base = {"dungarees": lighter(accent, 0.55)}.get(kind, main)
    body = canvas.fill(base, SHOULDERS)
    if kind == "striped top":
        for y in (43.5, 51.5):
            stripe = stroke((-42, y + 4), (-20, y + 0.6), (0, y), (20, y + 0.6), (42, y + 4), width=3.6)
            canvas.glaze(accent, stripe, inside=body)
    if kind == "dungarees":
        bib = [points((-13, 48), (13, 48), (14, 66), (-14, 66))]
        bib += [flip(points((-19, 33), (-14.5, 33), (-9, 49), (-13, 49)), side) for side in (1, -1)]
        canvas.glaze(main, *bib, inside=body)
        for side in (-1, 1):
            canvas.glaze(lighter(main, 0.6), ellipse(side * 10.6, 50, 1.5), inside=body)
    if kind == "jacket":
        canvas.glaze(
            lighter(accent, 0.7), smooth((-11, 32), (11, 32), (4, 56), (0, 70), (-4, 56)), inside=body
        )
    canvas.glaze(darker(base, 0.6), ellipse(32, 58, 22, 20), inside=body, opacity=0.5, soft=6)
    canvas.glaze(lighter(base, 0.4), ellipse(-22, 40, 13, 5, turn=-24), inside=body, opacity=0.5, soft=3)
    _paint_neck(canvas, kind, body, main=main, accent=accent, skin=skin)


def _paint_neck(canvas: Canvas, kind: str, body: Mask, *, main: Colour, accent: Colour, skin: Colour) -> None:
    """Paints the neck in the opening of the clothes and the collar around it."""
    if kind == "turtleneck":
        roll = canvas.fill(main, mirrored((0, 24), (-10.5, 24.5), (-11.6, 31), (-12.6, 37.5), (0, 40.5)))
        canvas.glaze(darker(main, 0.75), ellipse(1, 23, 15, 8), inside=roll, opacity=0.75, soft=2)
        fold = stroke((-11.8, 36.2), (0, 38.8), (11.8, 36.2), width=1.2, taper=0.6)
        canvas.glaze(darker(main, 0.5), fold, inside=roll, opacity=0.7)
        return
    opening = {
        "v-neck": smooth((-10.5, 30), (10.5, 30), (9.5, 36), (4, 44), (0, 48.5), (-4, 44), (-9.5, 36)),
        "shirt": smooth((-10, 30), (10, 30), (8.5, 36), (0, 43.5), (-8.5, 36)),
        "jacket": smooth((-10, 30), (10, 30), (9.5, 35), (0, 40), (-9.5, 35)),
    }.get(kind, mirrored((0, 28), (-11, 29), (-12.5, 34), (-8.5, 39.2), (0, 41.4)))
    rim = {
        "crew neck": accent,
        "striped top": accent,
        "v-neck": lighter(main, 0.35),
        "hoodie": darker(main, 0.35),
    }
    if kind in rim:
        canvas.glaze(rim[kind], shift(shift(opening, 0, -34) * 1.17, 0, 34.2), inside=body)
    throat = canvas.mask(opening)
    neck = canvas.fill(skin, NECK[NECK[:, 1] < 34])
    canvas.paint(throat, skin)
    for part in (neck, throat):
        canvas.glaze(skin_shadow(skin, 0.48), ellipse(1.2, 23, 17, 10.5), inside=part, opacity=0.75, soft=2)
    _paint_collar(canvas, kind, main, accent)


def _paint_collar(canvas: Canvas, kind: str, main: Colour, accent: Colour) -> None:
    """Paints what lies over the neckline: collar flaps, lapels, cords."""
    if kind == "shirt":
        flap = points((-9.8, 30.5), (-14.5, 36), (-10.5, 46), (-0.3, 42.6))
        for side in (-1, 1):
            leaf = canvas.fill(lighter(main, 0.35 if side > 0 else 0.5), flip(flap, -side))
            canvas.glaze(darker(main, 0.4), ellipse(side * 13, 33, 5, 4), inside=leaf, opacity=0.4, soft=2)
        for y in (48, 54):
            canvas.fill(lighter(main, 0.7), ellipse(0, y, 1.1))
    elif kind == "jacket":
        lapel = smooth((-11, 30), (-16.5, 36), (-18.5, 44), (-9, 53), (-2, 66), (-3, 54), (-9, 40))
        for side in (-1, 1):
            canvas.fill(lighter(main, 0.12) if side < 0 else darker(main, 0.18), flip(lapel, -side))
    elif kind == "hoodie":
        for side in (-1, 1):
            canvas.fill(
                lighter(accent, 0.6), stroke((side * 7, 40), (side * 7.6, 47), (side * 7, 53), width=1.7)
            )


def paint_earrings(canvas: Canvas, kind: str, *, metal: Colour, x: float, y: float) -> None:
    """Paints a pair of earrings ("stud", "hoop" or "drop") hanging from (-x, y) and (x, y)."""
    for side in (-1, 1):
        if kind == "hoop":
            ring = canvas.mask(ellipse(side * x, y + 3, 3.3)).without(
                canvas.mask(ellipse(side * x, y + 3, 2))
            )
            canvas.paint(ring, metal)
        elif kind == "drop":
            canvas.fill(
                metal, stroke((side * x, y), (side * x, y + 3), width=0.9), ellipse(side * x, y + 5, 2, 2.6)
            )
            canvas.fill(lighter(metal, 0.7), ellipse(side * x - 0.6, y + 4.2, 0.7))
        else:
            canvas.fill(metal, ellipse(side * x, y + 0.6, 1.7))
            canvas.fill(lighter(metal, 0.8), ellipse(side * x - 0.5, y + 0.1, 0.6))


def paint_glasses(
    canvas: Canvas, kind: str, *, frame: Colour, eye_x: float, eye_y: float, turn: float
) -> None:
    """Paints glasses in front of eyes at (turn - eye_x, eye_y) and (turn + eye_x, eye_y)."""
    y = eye_y + 0.8
    lens = _lens(kind)
    inner = lens * 0.82
    for side in (-1, 1):
        place = (turn + side * eye_x * 1.04, y)
        glass = canvas.mask(shift(flip(inner, side), *place))
        if kind == "sunglasses":
            canvas.fill(frame, shift(flip(lens, side), *place))
            canvas.paint(glass, DARK_GLASS)
            canvas.paint(glass.fading(0.0, 0.7), lighter(frame, 0.2), 0.8)
            gleam = stroke((place[0] - 3.5, y - 3), (place[0] - 0.5, y - 4.2), width=1.2, taper=0.5)
            canvas.paint(canvas.mask(gleam), (255, 255, 255), 0.6)
            continue
        canvas.paint(canvas.mask(shift(flip(lens, side), *place)).without(glass), frame)
        canvas.paint(glass, (235, 246, 255), 0.14)
        gleam = stroke((place[0] - 4, y + 1), (place[0] + 0.5, y - 4.6), width=1.4, taper=0.4)
        canvas.paint(canvas.mask(gleam).within(glass), (255, 255, 255), 0.4)
        arm = stroke((place[0] + side * 6.6, y - 1.4), (side * 20.5, y - 2.4), width=1.5)
        canvas.fill(frame, arm)
    bridge = stroke((turn - 2.8, y - 0.6), (turn, y - 1.9), (turn + 2.8, y - 0.6), width=1.6)
    canvas.fill(frame, bridge)


def _lens(kind: str) -> Outline:
    if kind == "round glasses":
        return ellipse(0, 0, 7.4, 7.2)
    if kind == "square glasses":
        return smooth((-6.8, -5.2), (0, -5.8), (7, -5.4), (7.4, 0), (6, 5.4), (0, 6), (-5.6, 5.4), (-7, 0))
    return smooth((-6.4, -5), (0, -5.6), (7.6, -5.4), (7.6, 0), (4.6, 5.6), (-2, 6), (-6.4, 3))


def paint_hat(
    canvas: Canvas, kind: str, *, main: Colour, accent: Colour, shadow: Colour, side: int, head: Mask
) -> None:
    """Paints a hat with the shadow it casts on the face; `side` = -1 mirrors it."""
    crown, brim = _hat_shapes(kind)
    crown, brim = flip(crown, side), flip(brim, side)
    canvas.glaze(shadow, shift(brim, 0.5, 2.6), inside=head, opacity=0.6, soft=1.3)
    if kind != "headband":
        top = canvas.fill(main, crown)
        canvas.glaze(darker(main, 0.65), ellipse(24, -18, 15, 22), inside=top, opacity=0.55, soft=5)
        canvas.glaze(lighter(main, 0.45), ellipse(-9, -31, 10, 6, turn=-20), inside=top, opacity=0.55, soft=3)
        canvas.glaze(darker(main, 0.7), shift(brim, 0, -1.6), inside=top, opacity=0.5, soft=1.2)
    edge = canvas.fill(accent if kind in ("beanie", "headband") else darker(main, 0.12), brim)
    tint = accent if kind in ("beanie", "headband") else main
    canvas.glaze(darker(tint, 0.65), ellipse(24, -14, 12, 12), inside=edge, opacity=0.5, soft=4)
    canvas.glaze(lighter(tint, 0.5), ellipse(-11, -17, 8, 3, turn=-12), inside=edge, opacity=0.5, soft=2)
    if kind == "beanie":
        ball = canvas.fill(accent, ellipse(0, -38, 5))
        canvas.glaze(lighter(accent, 0.5), ellipse(-1.6, -40, 2.4), inside=ball, opacity=0.6, soft=1)
    elif kind == "beret":
        canvas.fill(darker(main, 0.3), stroke((side * -4, -38), (side * -5, -42), width=2))
    elif kind == "cap":
        canvas.fill(accent, ellipse(0, -25.5, 4.2))


def _hat_shapes(kind: str) -> tuple[Outline, Outline]:
    """The outlines of a hat's crown and of its brim."""
    if kind == "beanie":
        return (
            mirrored((0, -37.5), (-11, -36), (-20, -28), (-23, -15), (0, -11)),
            mirrored(
                (0, -19.5), (-13, -18.8), (-22.5, -16.5), (-24.4, -12), (-23, -7.5), (-13, -10), (0, -11)
            ),
        )
    if kind == "beret":
        return (
            smooth(
                (-30, -23),
                (-27, -32),
                (-14, -39),
                (2, -39),
                (17, -34),
                (23, -24),
                (21, -15),
                (4, -17),
                (-14, -15),
            ),
            smooth(
                (-21.8, -12),
                (-18, -18),
                (0, -20),
                (16, -19),
                (21.8, -13),
                (20, -10),
                (8, -14.5),
                (-8, -14),
                (-20, -9),
            ),
        )
    if kind == "cap":
        return (
            mirrored((0, -36), (-13, -34), (-21, -25), (-22.6, -12), (0, -13)),
            mirrored((0, -18), (-14, -17.4), (-22.6, -13.6), (-25, -8.6), (-18, -9), (0, -11)),
        )
    if kind == "bucket hat":
        return (
            mirrored((0, -36.5), (-13, -36), (-18, -33), (-21, -15), (0, -15)),
            mirrored((0, -20), (-20, -18.5), (-26, -11), (-29, -4.6), (-24, -5), (-12, -8.6), (0, -9.5)),
        )
    band = mirrored((0, -23.5), (-12, -22), (-21, -14), (-22, -9.5), (-20, -8), (-11, -14.8), (0, -16.8))
    return band, band
