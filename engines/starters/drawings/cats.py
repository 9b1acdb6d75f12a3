"""`cats`: cat heads seen from the front, framed like the faces.

Coordinates are relative to the middle of the head: ears reach up to y = -37, the eyes lie at y = 0, the
chin at y = 23.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from PIL import Image

from .paint import (
    Canvas,
    Colour,
    Dice,
    Mask,
    Outline,
    backdrop,
    brightness,
    colour,
    darker,
    ellipse,
    flip,
    lighter,
    mirrored,
    mix,
    rotate,
    shift,
    smooth,
    stroke,
)
from .palette import CLOTHS, GROUNDS, distance

_SEED = 2
"""This family's own part of the random seed."""

WHITE = colour("fbf6ee")
INK = colour("332c3d")
GINGER = colour("ee9440")
FURS = [
    (colour(code), name, weight)
    for code, name, weight in (
        ("ee9440", "ginger", 3.0), ("f3cd96", "cream", 1.5), ("8a93a6", "grey", 2.5),
        ("b5733f", "brown", 2.0), ("bfc5cf", "silver", 1.5), ("4a4453", "black", 2.0),
        ("f7f1e8", "white", 1.2), ("7a5548", "chocolate", 1.2),
    )
]  # fmt: skip
EYES = [
    (colour(code), name)
    for code, name in (
        ("8fc24a", "green"), ("f2b632", "amber"), ("d9882b", "copper"), ("58b7e0", "blue"), ("4fc3a1", "aqua")
    )
]  # fmt: skip
BLUE_EYE = colour("58b7e0")
PINK = colour("ef8f92")
TONGUE = colour("ee7382")
COATS = [("plain", 1.6), ("tabby", 3.0), ("calico", 1.6), ("siamese", 1.4), ("tuxedo", 2.0)]
COLLARS = [("", 2.6), ("bell", 2.4), ("bow tie", 1.5), ("bandana", 1.5)]
MOUTHS = [("calm", 3.0), ("smile", 3.0), ("tongue", 1.0), ("open", 1.0)]


@dataclass(frozen=True, kw_only=True)
class Cat:
    """Everything that tells one cat from another."""

    ground: Colour
    ground_name: str
    coat: str
    fur: Colour
    fur_name: str
    side: int
    eyes: tuple[Colour, Colour]
    eye_name: str
    eye_size: float
    eye_slant: float
    pupil: float
    nose: Colour
    mouth: str
    ear_lean: float
    ear_height: float
    cheeks: float
    fluffy: bool
    muzzle: float
    stripes: int
    collar: str
    collar_colour: Colour
    turn: float
    tilt: float
    height: float


def cat(index: int) -> Cat:
    """The traits of cat `index`, always the same for the same index."""
    dice = Dice(_SEED, index)
    coat = dice.weigh(COATS)
    fur, fur_name = _fur(dice, coat)
    tints = (fur, GINGER) if coat == "calico" else (fur,)
    ground, ground_name = dice.pick(
        [entry for entry in GROUNDS if min(distance(entry[0], tint) for tint in tints) > 95]
    )
    eye, eye_name = (BLUE_EYE, "blue") if coat == "siamese" else dice.pick(EYES)
    odd = eye != BLUE_EYE and coat != "tabby" and dice.chance(0.06)
    collar_colours = [c for c in CLOTHS if distance(c, ground) > 90 and distance(c, fur) > 100]
    return Cat(
        ground=ground,
        ground_name=ground_name,
        coat=coat,
        fur=fur,
        fur_name=fur_name,
        side=dice.pick((-1, 1)),
        eyes=(eye, BLUE_EYE if odd else eye),
        eye_name="odd" if odd else eye_name,
        eye_size=dice.between(0.92, 1.1),
        eye_slant=dice.between(2.0, 13.0),
        pupil=dice.between(1.7, 3.7),
        nose=dice.pick((PINK, PINK, colour("d0696f"), colour("5a3f4a"))),
        mouth=dice.weigh(MOUTHS),
        ear_lean=dice.between(-3.0, 7.0),
        ear_height=dice.between(0.9, 1.06),
        cheeks=dice.between(0.95, 1.05),
        fluffy=dice.chance(0.45),
        muzzle=dice.between(0.92, 1.1),
        stripes=dice.pick((2, 3)),
        collar=dice.weigh(COLLARS),
        collar_colour=dice.pick(collar_colours),
        turn=dice.between(-1.4, 1.4),
        tilt=dice.between(-5.0, 5.0),
        height=dice.between(-1.0, 1.0),
    )


def _fur(dice: Dice, coat: str) -> tuple[Colour, str]:
    """The main fur colour of a coat: calico is white, siamese cream, tuxedo darker than its white bib."""
    if coat == "calico":
        return WHITE, "white"
    if coat == "siamese":
        return mix(colour("f4e3c8"), colour("e3c7a4"), dice.between(0, 1)), "cream"
    choices = [entry for entry in FURS if coat == "plain" or entry[1] != "white"]
    if coat == "tuxedo":
        choices = [entry for entry in choices if brightness(entry[0]) < 0.66]
    fur, name = dice.weigh([((tint, name), weight) for tint, name, weight in choices])
    return mix(fur, dice.pick(choices)[0], dice.between(0, 0.1)), name


def caption(index: int) -> str:
    """A short description of cat `index`."""
    pet = cat(index)
    kind = {
        "plain": f"{pet.fur_name} cat", "tabby": f"{pet.fur_name} tabby cat", "calico": "calico cat",
        "siamese": "siamese cat", "tuxedo": f"{pet.fur_name} and white cat",
    }[pet.coat]  # fmt: skip
    worn = [{"bell": "collar with a bell"}.get(pet.collar, pet.collar)] if pet.collar else []
    facts = ["portrait of a " + kind, f"{pet.eye_name} eyes", *worn, f"{pet.ground_name} background"]
    return ", ".join(facts)


def draw(index: int, size: int, oversampling: int) -> Image.Image:
    """Draws cat `index`, RGB, size x size pixels."""
    pet = cat(index)
    canvas = Canvas(size, backdrop(pet.ground), oversampling=oversampling)
    place = partial(canvas.placed, 50, 51 + pet.height, zoom=1.1)
    with place():
        _paint_body(canvas, pet)
    with place(turn=pet.tilt, pivot=(0, 24)):
        for side in (-1, 1):
            _paint_ear(canvas, pet, side)
        _paint_head(canvas, pet)
    return canvas.picture()


def _points_colour(pet: Cat) -> Colour:
    """The colour of a siamese cat's mask and ears."""
    return darker(mix(pet.fur, colour("7a5548"), 0.85), 0.25)


def _paint_body(canvas: Canvas, pet: Cat) -> None:
    """Paints chest and shoulders, and what the cat wears around its neck."""
    body = canvas.fill(pet.fur, mirrored((0, 12), (-18, 14), (-24, 28), (-30, 44), (-33, 66), (0, 68)))
    if pet.coat == "tabby":
        for y in (34, 42, 50):
            band = stroke((34, y + 3), (24, y), (15, y + 3), width=3, taper=0.9)
            canvas.glaze(darker(pet.fur, 0.45), band, flip(band, -1), inside=body)
    if pet.coat == "calico":
        canvas.glaze(GINGER, ellipse(pet.side * 27, 40, 13, 15), inside=body)
        canvas.glaze(INK, ellipse(pet.side * -28, 48, 11, 12), inside=body)
    chest = WHITE if pet.coat == "tuxedo" else lighter(pet.fur, 0.45)
    if pet.coat != "calico":
        ruff = smooth((-13, 20), (13, 20), (13, 34), (8, 46), (4, 44), (0, 53), (-4, 44), (-8, 46), (-13, 34))
        canvas.glaze(chest, ruff, inside=body, opacity=1.0 if pet.coat == "tuxedo" else 0.6)
    canvas.glaze(darker(pet.fur, 0.6), ellipse(30, 50, 15, 26), inside=body, opacity=0.55, soft=6)
    canvas.glaze(darker(pet.fur, 0.75), ellipse(1, 21, 25, 9), inside=body, opacity=0.6, soft=3)
    if pet.collar:
        _paint_collar(canvas, pet, body)


def _paint_collar(canvas: Canvas, pet: Cat, body: Mask) -> None:
    tint = pet.collar_colour
    dark, light = darker(tint, 0.55), lighter(tint, 0.45)
    if pet.collar == "bandana":
        shape = smooth((-25, 22), (0, 29), (25, 22), (22, 30), (9, 40), (0, 47), (-9, 40), (-22, 30))
        cloth = canvas.paint(canvas.mask(shape).within(body), tint)
        for x, y in ((-13, 31), (-4, 33), (5, 34), (13, 31), (0, 41)):
            canvas.glaze(lighter(tint, 0.75), ellipse(x, y, 1.3), inside=cloth)
        canvas.glaze(dark, ellipse(1, 23, 25, 5), inside=cloth, opacity=0.75, soft=2)
        return
    strap = stroke((-29, 24.4), (-14, 29.5), (0, 31), (14, 29.5), (29, 24.4), width=5.2)
    band = canvas.paint(canvas.mask(strap).within(body), tint)
    canvas.glaze(light, ellipse(-12, 28, 8, 1.4, turn=8), inside=band, opacity=0.6, soft=0.8)
    canvas.glaze(dark, ellipse(18, 26, 10, 6), inside=band, opacity=0.6, soft=2)
    if pet.collar == "bell":
        gold = colour("f5c542")
        bell = canvas.fill(gold, ellipse(0, 36.4, 4.8))
        canvas.glaze(darker(gold, 0.5), ellipse(2.4, 39, 4, 3.4), inside=bell, opacity=0.7, soft=1)
        canvas.fill(colour("6b4a1a"), stroke((-2.4, 37.4), (2.4, 37.4), width=0.9), ellipse(0, 39, 1.1))
        canvas.fill((255, 250, 230), ellipse(-1.7, 34.6, 1.2))
        return
    wing = smooth((0, 33), (5, 29.5), (13, 27), (15, 33.5), (13, 40), (5, 37.5))
    for side in (-1, 1):
        loop = canvas.fill(lighter(tint, 0.12), flip(wing, side))
        canvas.glaze(dark, ellipse(side * 3, 34, 5, 5), inside=loop, opacity=0.7, soft=1.5)
    canvas.fill(light, ellipse(0, 33.4, 3, 3.6))


def _paint_ear(canvas: Canvas, pet: Cat, side: int) -> None:
    lean = side * pet.ear_lean
    tint = pet.fur
    if pet.coat == "siamese":
        tint = _points_colour(pet)
    elif pet.coat == "calico":
        tint = GINGER if side == pet.side else INK
    tall = pet.ear_height
    outer = smooth(
        (0, -17), (9.5, -25.5 * tall), (19.5, -35 * tall), (24, -35 * tall), (28, -21), (28, -1), (14, -8)
    )
    inner = smooth(
        (8.5, -18), (14, -24.5 * tall), (20.8, -31 * tall), (23, -30 * tall), (25.2, -20), (23.5, -8)
    )
    turned = partial(_turned, degrees=lean, side=side)
    ear = canvas.fill(tint, turned(outer))
    canvas.glaze(darker(tint, 0.6), ellipse(side * 30, -14, 7, 22), inside=ear, opacity=0.5, soft=4)
    flesh = mix(PINK, tint, 0.25 if brightness(tint) > 0.4 else 0.5)
    hollow = canvas.fill(flesh, turned(inner))
    canvas.glaze(darker(flesh, 0.55), ellipse(side * 15, -13, 9, 9), inside=hollow, opacity=0.7, soft=3)
    if pet.fluffy:
        for x, y in ((13, -24), (16.5, -25.5)):
            tuft = stroke((10, -13), (x - 1, y + 4), (x + 1, y), width=2.2, taper=0.8)
            canvas.glaze(lighter(tint, 0.55), turned(tuft), inside=hollow, opacity=0.9)


def _turned(outline: Outline, *, degrees: float, side: int) -> Outline:
    """An ear's outline on its side of the head, leaning outwards by degrees about the ear's root."""
    return rotate(flip(outline, side), degrees, (side * 16, -14))


def _head_outline(pet: Cat) -> Outline:
    w = pet.cheeks
    half = [(0, -23.8), (-11, -22.4), (-21.5, -15), (-26 * w, -2)]
    if pet.fluffy:
        half += [(-28 * w, 4), (-32.5 * w, 9.5), (-28 * w, 11.5), (-29 * w, 16.5), (-23, 17)]
    else:
        half += [(-28 * w, 7), (-24.5 * w, 15.5)]
    return mirrored(*half, (-11, 22), (0, 23.5))


def _paint_head(canvas: Canvas, pet: Cat) -> None:
    """Paints the head from the coat up to the whiskers."""
    head = canvas.fill(pet.fur, _head_outline(pet))
    _paint_coat(canvas, pet, head)
    shade = darker(pet.fur, 0.55)
    canvas.glaze(shade, ellipse(31, 8, 15, 30, turn=8), inside=head, opacity=0.55, soft=6)
    canvas.glaze(shade, ellipse(0, 28, 24, 6), inside=head, opacity=0.4, soft=3)
    canvas.glaze(lighter(pet.fur, 0.5), ellipse(-9, -14, 12, 7, turn=-20), inside=head, opacity=0.45, soft=5)
    _paint_muzzle(canvas, pet, head)
    for side, iris in zip((-1, 1), pet.eyes, strict=True):
        _paint_eye(canvas, pet, side, iris)
    _paint_whiskers(canvas, pet)


def _paint_coat(canvas: Canvas, pet: Cat, head: Mask) -> None:
    """Paints the markings of the face."""
    x = pet.turn
    if pet.coat == "tabby":
        _paint_stripes(canvas, pet, head)
    elif pet.coat == "calico":
        warm = smooth((2, -26), (16, -26), (30, -12), (27, 5), (18, 9), (8, 4), (6, -8), (1, -14))
        ink = smooth((-4, -26), (-16, -26), (-30, -12), (-26, -4), (-17, -6), (-10, -13), (-6, -17))
        canvas.glaze(GINGER, flip(warm, pet.side), inside=head)
        canvas.glaze(INK, flip(ink, pet.side), inside=head)
    elif pet.coat == "siamese":
        tint = _points_colour(pet)
        canvas.glaze(tint, ellipse(x, 7, 14, 15), ellipse(x, -4, 9, 12), inside=head, opacity=0.95, soft=4)
    elif pet.coat == "tuxedo":
        blaze = mirrored((0, -17), (-2.6, -8), (-4.5, 2), (-12, 8), (-16, 16), (-10, 26), (0, 28))
        canvas.glaze(WHITE, shift(blaze, x, 0), inside=head)


def _paint_stripes(canvas: Canvas, pet: Cat, head: Mask) -> None:
    tint = darker(pet.fur, 0.5 if brightness(pet.fur) > 0.35 else 0.8)
    x = pet.turn * 0.7
    marks = [stroke((x, -25), (x, -17), (x, -11), width=3.2, taper=0.8)]
    for side in (-1, 1):
        brow = stroke((6.5, -25), (6.2, -17), (7.5, -10.5), width=3.2, taper=0.8)
        temple = stroke((14.5, -24), (13, -18), (14, -13), width=2.6, taper=0.8)
        cheek = stroke((34, 1.5), (25, 3.1), (18.5, 2.5), width=3, taper=0.8)
        marks += [shift(flip(brow, side), x, 0), flip(temple, side)]
        marks += [shift(flip(cheek, side), 0, 5.2 * k) for k in range(pet.stripes)]
    canvas.glaze(tint, *marks, inside=head)
    light = lighter(pet.fur, 0.45)
    for side in (-1, 1):
        rim = ellipse(pet.turn + side * 11.5, -1, 8.6, 7.4)
        canvas.glaze(light, rim, inside=head, opacity=0.55, soft=1.5)


def _paint_muzzle(canvas: Canvas, pet: Cat, head: Mask) -> None:
    x, size = pet.turn * 1.4, pet.muzzle
    base = {"siamese": mix(pet.fur, _points_colour(pet), 0.5), "tuxedo": WHITE, "calico": WHITE}.get(pet.coat)
    snout = lighter(pet.fur, 0.6 if brightness(pet.fur) > 0.35 else 0.3) if base is None else base
    pads = [ellipse(x + side * 5 * size, 13.2, 6.6 * size, 5.2 * size) for side in (-1, 1)]
    cast = [shift(pad, 0.4, 1.3) for pad in pads]
    canvas.glaze(darker(snout, 0.45), *cast, inside=head, opacity=0.4, soft=1)
    if pet.mouth in ("open", "tongue"):
        _paint_tongue(canvas, pet, x)
    fur = canvas.paint(canvas.mask(*pads, soft=0.35), snout)
    canvas.glaze(lighter(snout, 0.7), ellipse(x - 6 * size, 11, 3.4, 2), inside=fur, opacity=0.6, soft=1)
    line = darker(mix(snout, INK, 0.55), 0.3)
    rise = 1.6 if pet.mouth in ("smile", "open") else 0.2
    for side in (-1, 1):
        lip = stroke((0, 11), (0.5, 14.2), (3.4, 15.6), (6.2, 14.2 - rise), width=1.2, taper=0.3)
        canvas.fill(line, shift(flip(lip, side), x, 0))
        dots = [ellipse(x + side * dx, dy, 0.5) for dx, dy in ((5, 11.6), (7.4, 11), (6.6, 13))]
        canvas.paint(canvas.mask(*dots), line, 0.55)
    tip = smooth((-3.4, 7.2), (0, 6.7), (3.4, 7.2), (2, 9.6), (0, 11), (-2, 9.6))
    nose = canvas.fill(pet.nose, shift(tip, x, 0))
    canvas.glaze(lighter(pet.nose, 0.6), ellipse(x - 0.9, 7.8, 1.3, 0.7), inside=nose, opacity=0.8, soft=0.3)


def _paint_tongue(canvas: Canvas, pet: Cat, x: float) -> None:
    if pet.mouth == "open":
        gap = smooth((x - 4.4, 15), (x + 4.4, 15), (x + 3, 20), (x, 21.6), (x - 3, 20))
        throat = canvas.fill(colour("5e1a2c"), gap)
        canvas.glaze(TONGUE, ellipse(x, 21, 3, 2.4), inside=throat)
        return
    tip = smooth((x - 2.4, 14), (x + 2.4, 14), (x + 2.5, 18.6), (x, 20.4), (x - 2.5, 18.6))
    tongue = canvas.fill(TONGUE, tip)
    canvas.glaze(colour("c74f63"), stroke((x, 14), (x, 18.6), width=0.8), inside=tongue, opacity=0.7)


def _paint_eye(canvas: Canvas, pet: Cat, side: int, iris: Colour) -> None:
    x, y = pet.turn + side * 11.4, 0.0
    rx, ry = 6.6 * pet.eye_size, 6.0 * pet.eye_size
    slant = -side * pet.eye_slant
    dark = darker(mix(pet.fur, INK, 0.75), 0.5)
    canvas.fill(dark, ellipse(x, y, rx + 1.2, ry + 1.1, turn=slant))
    corner = stroke((-rx * 0.7, ry * 0.5), (-rx - 1.8, ry * 0.95), width=1.6, taper=0.5)
    canvas.fill(dark, shift(flip(corner, side), x, y))
    ball = canvas.fill(iris, ellipse(x, y, rx, ry, turn=slant))
    above, below = ellipse(x, y - ry, rx * 1.2, ry * 0.75), ellipse(x, y + ry * 0.65, rx * 0.7, ry * 0.4)
    canvas.glaze(darker(iris, 0.55), above, inside=ball, opacity=0.7, soft=1.2)
    canvas.glaze(lighter(iris, 0.65), below, inside=ball, opacity=0.8, soft=0.9)
    gaze = x + pet.turn * 0.4 - side * 0.5
    canvas.glaze((24, 18, 30), ellipse(gaze, y, pet.pupil, ry * 0.84), inside=ball)
    canvas.fill((255, 255, 255), ellipse(gaze - 1.9, y - 2.2, 1.7), ellipse(gaze + 1.8, y + 2.2, 0.8))


def _paint_whiskers(canvas: Canvas, pet: Cat) -> None:
    x = pet.turn * 1.2
    tint = WHITE if brightness(pet.ground) < 0.75 else mix(WHITE, INK, 0.55)
    for side in (-1, 1):
        for y, end, drop in ((11.0, 8.0, -0.8), (13.2, 13.6, 0.0), (15.2, 19.0, 0.8)):
            hair = stroke((8, y), (22, (y + end) / 2 - 1 + drop), (34, end + drop), width=0.85, taper=0.7)
            canvas.paint(canvas.mask(shift(flip(hair, side), x, 0)), tint, 0.9)
