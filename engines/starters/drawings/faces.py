"""`faces`: portraits of invented people, head and shoulders, facing the viewer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from PIL import Image

from . import wardrobe
from .hair import STYLES, paint_back, paint_front
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
    shift,
    skin_shadow,
    smooth,
    stroke,
)
from .palette import CLOTHS, GROUNDS, distance

_SEED = 1
"""This family's own part of the random seed."""

SKINS = [colour(c) for c in ("ffe0cc", "fbd0b0", "f2bd94", "e3a475", "c98652", "a9683c", "84502f", "623a26")]
HAIRS = [
    (colour(code), name, weight)
    for code, name, weight in (
        ("2b2230", "black", 4), ("46302b", "dark brown", 4), ("74452c", "brown", 4),
        ("a8632f", "chestnut", 3), ("d8572a", "red", 2.5), ("e3a548", "golden", 3),
        ("f0cf86", "blond", 2.5), ("a9abb5", "grey", 1.5), ("ece8e4", "white", 1),
        ("e86f9e", "pink", 1.2), ("3f9aa8", "teal", 1), ("7b5cc4", "violet", 1),
    )
]  # fmt: skip
DEEP_HAIRS = ("black", "dark brown", "brown", "grey", "white", "pink", "teal", "violet")
"""Hair that mostly goes with deep skin tones."""

IRISES = [colour(c) for c in ("4a2c20", "6b4226", "8a6a2f", "4f8a4b", "3f86c7", "6b7f95")]
FRAMES = [colour(c) for c in ("2b2433", "7a3b2e", "c2453f", "2f5d8a", "c99a3d", "2e7d6b")]
METALS = [colour(c) for c in ("f2c14e", "e8e6ef", "e85d75", "3fb8af")]
MOUTHS = [("smile", 4.0), ("grin", 3.0), ("calm", 2.0), ("open", 1.5), ("smirk", 1.5)]
BEARDS = [("stubble", 2.0), ("full beard", 2.5), ("moustache", 1.5), ("goatee", 1.2), ("long beard", 1.0)]
SHORT_HAIR = ("bald", "buzz cut", "short crop", "quiff", "short curls", "afro")
LIP_RED = colour("b5243e")


@dataclass(frozen=True, kw_only=True)
class Face:
    """Everything that tells one portrait from another."""

    ground: Colour
    ground_name: str
    skin: Colour
    hair: Colour
    hair_name: str
    style: str
    side: int
    iris: Colour
    eye_open: float
    eye_gap: float
    brow_tilt: float
    brow_weight: float
    lashes: bool
    lips: float
    mouth: str
    nose: str
    beard: str
    freckles: bool
    blush: float
    glasses: str
    frame: Colour
    hat: str
    hat_colour: Colour
    earring: str
    metal: Colour
    clothes: str
    cloth: Colour
    accent: Colour
    width: float
    jaw: float
    chin: float
    turn: float
    tilt: float
    height: float


def face(index: int) -> Face:
    """The traits of portrait `index`, always the same for the same index."""
    dice = Dice(_SEED, index)
    ground, ground_name = dice.pick(GROUNDS)
    tone = dice.weigh(list(enumerate((1.2, 1.3, 1.3, 1.2, 1.0, 1.0, 0.9, 0.8))))
    skin = mix(SKINS[tone], SKINS[min(tone + 1, len(SKINS) - 1)], dice.between(0, 0.6))
    deep = tone >= len(SKINS) - 3 and dice.chance(0.75)
    hairs = [entry for entry in HAIRS if not deep or entry[1] in DEEP_HAIRS]
    hair, hair_name = dice.weigh([((tint, name), weight) for tint, name, weight in hairs])
    if hair_name not in ("grey", "white"):
        hair = mix(hair, dice.pick(HAIRS)[0], dice.between(0, 0.12))
    style = dice.weigh([(name, 0.5 if name == "bald" else 1.0) for name in STYLES])
    beard = dice.weigh(BEARDS) if style in SHORT_HAIR and dice.chance(0.5) else ""
    feminine = not beard and (style not in SHORT_HAIR or dice.chance(0.3))
    cloth, accent, hat_colour = _outfit(dice, ground)
    hat = dice.pick(wardrobe.HATS) if STYLES[style].takes_hat and dice.chance(0.3) else ""
    if hat == "headband" and style == "bald":
        hat = "beanie"
    return Face(
        ground=ground,
        ground_name=ground_name,
        skin=skin,
        hair=hair,
        hair_name=hair_name,
        style=style,
        side=dice.pick((-1, 1)),
        iris=dice.pick(IRISES[:3] if deep else IRISES),
        eye_open=dice.between(0.86, 1.1),
        eye_gap=dice.between(8.6, 9.8),
        brow_tilt=dice.between(-1.4, 1.2),
        brow_weight=dice.between(1.3, 1.9) if feminine else dice.between(1.8, 2.7),
        lashes=feminine and dice.chance(0.8),
        lips=dice.between(0.35, 0.8) if feminine and dice.chance(0.6) else 0.0,
        mouth=dice.weigh(MOUTHS),
        nose=dice.pick(("button", "line", "wide")),
        beard=beard,
        freckles=dice.chance(0.25),
        blush=dice.between(0.15, 0.6),
        glasses=dice.weigh([(kind, w) for kind, w in zip(wardrobe.GLASSES, (3, 2.5, 1), strict=True)])
        if dice.chance(0.32)
        else "",
        frame=dice.pick(FRAMES),
        hat=hat,
        hat_colour=hat_colour,
        earring=dice.pick(("stud", "hoop", "drop")) if dice.chance(0.55 if feminine else 0.12) else "",
        metal=dice.pick(METALS),
        clothes=dice.pick(wardrobe.CLOTHES),
        cloth=cloth,
        accent=accent,
        width=dice.between(0.95, 1.05),
        jaw=dice.between(14.0, 17.0) + (0 if feminine else 1.0),
        chin=dice.between(24.5, 26.5),
        turn=dice.between(-1.6, 1.6),
        tilt=dice.between(-3.5, 3.5),
        height=dice.between(-1.0, 1.0),
    )


def _outfit(dice: Dice, ground: Colour) -> tuple[Colour, Colour, Colour]:
    """Colours of clothes, trimming and hat that stand out from the background and from one another."""
    free = [c for c in CLOTHS if distance(c, ground) > 90]
    cloth = dice.pick(free)
    accent = dice.pick([c for c in CLOTHS if distance(c, cloth) > 110])
    hat = dice.pick([c for c in free if distance(c, accent) > 90])
    return cloth, accent, hat


def caption(index: int) -> str:
    """A short description of portrait `index`."""
    who = face(index)
    hair = "no hair" if who.style == "bald" else f"{who.hair_name} hair, {who.style}"
    extras = [extra for extra in (who.beard, who.glasses, who.hat) if extra]
    return ", ".join(["portrait of a person", hair, *extras, who.clothes, f"{who.ground_name} background"])


def draw(index: int, size: int, oversampling: int) -> Image.Image:
    """Draws portrait `index`, RGB, size x size pixels."""
    who = face(index)
    canvas = Canvas(size, backdrop(who.ground), oversampling=oversampling)
    style = STYLES[who.style]
    place = partial(canvas.placed, 50, 47.5 + who.height, zoom=1.1)
    with place(turn=who.tilt, pivot=(0, 34)):
        paint_back(canvas, style, who.hair, who.side)
    with place():
        wardrobe.paint_clothes(canvas, who.clothes, main=who.cloth, accent=who.accent, skin=who.skin)
    with place(turn=who.tilt, pivot=(0, 34)):
        _paint_head(canvas, who)
    return canvas.picture()


def _paint_head(canvas: Canvas, who: Face) -> None:
    """Paints the head from the ears to the hat; the origin is the middle of the head."""
    shade, light = skin_shadow(who.skin, 0.36), lighter(who.skin, 0.4)
    style = STYLES[who.style]
    if not style.covers_ears:
        _paint_ears(canvas, who, shade)
    head = canvas.fill(who.skin, _head_outline(who))
    canvas.glaze(shade, ellipse(24, 12, 13, 34, turn=8), inside=head, opacity=0.6, soft=5)
    canvas.glaze(shade, ellipse(0, 31, 22, 7), inside=head, opacity=0.45, soft=3)
    canvas.glaze(light, ellipse(-7, -9, 12, 12), inside=head, opacity=0.55, soft=5)
    blush = mix(who.skin, (226, 70, 84), 0.55)
    for side in (-1, 1):
        cheek = ellipse(who.turn + side * 12.4, 9.4, 4.6, 3.4)
        canvas.glaze(blush, cheek, inside=head, opacity=who.blush, soft=1.6)
    if who.freckles:
        _paint_freckles(canvas, who)
    if who.beard:
        _paint_beard(canvas, who, head)
    _paint_nose(canvas, who, shade, light)
    _paint_mouth(canvas, who)
    _paint_eyes(canvas, who)
    shadow = skin_shadow(who.skin, 0.48)
    if who.hat in ("", "headband") or style.covers_ears:
        paint_front(canvas, style, who.hair, who.side, head=head, shadow=shadow)
    elif who.style != "bald":
        paint_front(canvas, STYLES["buzz cut"], who.hair, who.side, head=head, shadow=shadow)
    if who.earring:
        x = 21.0 if not style.covers_ears else 20.0
        wardrobe.paint_earrings(canvas, who.earring, metal=who.metal, x=x * who.width, y=10.2)
    if who.glasses:
        wardrobe.paint_glasses(
            canvas, who.glasses, frame=who.frame, eye_x=who.eye_gap, eye_y=1.0, turn=who.turn
        )
    if who.hat:
        colours = {"main": who.hat_colour, "accent": who.accent, "shadow": shadow}
        wardrobe.paint_hat(canvas, who.hat, side=who.side, head=head, **colours)


def _head_outline(who: Face) -> Outline:
    w, jaw = who.width, who.jaw
    return mirrored(
        (0, -26.5), (-12 * w, -24), (-19 * w, -14), (-20.4 * w, 0), (-19 * w, 9.5), (-jaw * w, 17.5),
        (-jaw * w * 0.56, who.chin - 2), (0, who.chin),
    )  # fmt: skip


def _paint_ears(canvas: Canvas, who: Face, shade: Colour) -> None:
    for side in (-1, 1):
        x = side * 20.6 * who.width
        ear = canvas.fill(
            who.skin if side < 0 else mix(who.skin, shade, 0.5), ellipse(x, 3, 4, 5.8, turn=side * 8)
        )
        canvas.glaze(
            shade, ellipse(x - side * 0.4, 3.4, 1.9, 3.4, turn=side * 8), inside=ear, opacity=0.8, soft=0.5
        )


def _paint_freckles(canvas: Canvas, who: Face) -> None:
    spots = [(-14, 6.6), (-11.4, 8.6), (-8.6, 6.8), (-12.8, 10.8), (-9.6, 10.2), (-6.6, 9)]
    dots = [ellipse(who.turn + side * x, y + side * 0.3, 0.62) for side in (-1, 1) for x, y in spots]
    canvas.paint(canvas.mask(*dots), darker(mix(who.skin, (170, 84, 40), 0.5), 0.12), 0.75)


def _paint_nose(canvas: Canvas, who: Face, shade: Colour, light: Colour) -> None:
    x = who.turn * 1.5
    tint = mix(shade, (200, 60, 60), 0.12)
    if who.nose == "line":
        mark = stroke((x + 0.6, 2.5), (x + 2.2, 7), (x + 2.6, 9.3), (x - 0.6, 10.2), width=1.5, taper=0.5)
        canvas.paint(canvas.mask(mark), tint)
    else:
        rx = 3.0 if who.nose == "button" else 4.0
        canvas.paint(canvas.mask(ellipse(x + 0.4, 8.8, rx, 2.3), soft=0.4), tint, 0.9)
        canvas.paint(canvas.mask(ellipse(x - 0.3, 7.9, rx * 0.84, 1.9), soft=0.4), mix(who.skin, light, 0.3))
    canvas.paint(canvas.mask(ellipse(x - 0.8, 6.4, 1.1, 1.5), soft=0.5), light, 0.8)


def _paint_mouth(canvas: Canvas, who: Face) -> None:
    x, y = who.turn * 1.2, 16.6
    framed = who.beard in ("full beard", "long beard")
    lip = mix(who.skin, LIP_RED, 0.4) if framed else mix(darker(who.skin, 0.5), LIP_RED, 0.3 + 0.6 * who.lips)
    full = framed or who.lips > 0
    if who.mouth in ("grin", "open"):
        depth = 4.6 if who.mouth == "grin" else 6.0
        w = 6.8 if who.mouth == "grin" else 4.8
        shape = smooth(
            (x - w, y - 1.6), (x, y - 0.9), (x + w, y - 1.6),
            (x + w * 0.62, y + depth * 0.6), (x, y + depth), (x - w * 0.62, y + depth * 0.6),
        )  # fmt: skip
        if full:
            canvas.fill(lip, shift(shift(shape, -x, -y - 0.6) * 1.18, x, y + 0.6))
        inside = canvas.fill(colour("5e1a2c"), shape)
        canvas.glaze(colour("ee7382"), ellipse(x, y + depth, w * 0.6, 2.2), inside=inside)
        canvas.glaze((255, 252, 246), ellipse(x, y - 1.8, w * 0.9, 2.6), inside=inside)
        return
    lift, slant = {"smile": (2.2, 0.0), "calm": (0.6, 0.0), "smirk": (1.5, 1.3)}[who.mouth]
    slant *= who.side
    lift *= 0.7 if full else 1.0
    left, right = (x - 5.8, y - lift * 0.6 + slant), (x + 5.8, y - lift * 0.6 - slant)
    if full:
        base = y + lift + 1.6
        lower = smooth(left, (x, y + 0.2), right, (x + 2.8, base), (x, base + 0.7), (x - 2.8, base))
        upper = smooth(left, (x - 1.9, y - 1.0), (x, y - 0.5), (x + 1.9, y - 1.0), right, (x, y + lift))
        canvas.fill(lip, lower, upper)
        canvas.paint(canvas.mask(ellipse(x - 0.8, y + lift + 0.9, 1.7, 0.6), soft=0.3), (255, 235, 235), 0.55)
    near, far = y + lift * 0.75 + slant * 0.4, y + lift * 0.75 - slant * 0.4
    line = stroke(left, (x - 2.6, near), (x, y + lift), (x + 2.6, far), right, width=1.5, taper=0.35)
    canvas.fill(darker(lip, 0.65 if full else 0.35), line)


def _paint_eyes(canvas: Canvas, who: Face) -> None:
    for side in (-1, 1):
        _paint_eye(canvas, who, side)
        x, y = who.turn + side * who.eye_gap, -7.6 - 1.2 * who.eye_open
        inner, outer = 0.4 + who.brow_tilt, 1.0 - who.brow_tilt * 0.4
        brow = stroke((-4.8, inner), (0.4, -1.1), (5.2, outer), width=who.brow_weight, taper=0.5)
        tint = darker(who.hair, 0.35 if brightness(who.hair) > 0.3 else 0.1)
        canvas.fill(mix(tint, darker(who.skin, 0.6), 0.25), shift(flip(brow, side), x, y))


def _paint_eye(canvas: Canvas, who: Face, side: int) -> None:
    x, y, tall = who.turn + side * who.eye_gap, 1.0, 4.5 * who.eye_open
    white = canvas.fill((255, 253, 250), ellipse(x, y, 5.1, tall))
    above = ellipse(x, y - tall * 1.05, 6, tall * 0.7)
    canvas.glaze((150, 140, 185), above, inside=white, opacity=0.55, soft=0.7)
    gaze = x + who.turn * 0.35
    canvas.glaze(darker(who.iris, 0.35), ellipse(gaze, y + 0.1, 3.7), inside=white)
    glow = ellipse(gaze, y + 1.0, 2.7, 2.4)
    canvas.glaze(lighter(who.iris, 0.18), glow, inside=white, opacity=0.9, soft=0.5)
    canvas.glaze((28, 18, 32), ellipse(gaze, y + 0.1, 1.9), inside=white)
    canvas.fill((255, 255, 255), ellipse(gaze - 1.3, y - 1.4, 1.15), ellipse(gaze + 1.3, y + 1.6, 0.55))
    low, high = -tall * 0.1, -tall * 0.82
    arc = stroke((-5.4, low), (-3.2, high), (0, -tall * 1.04), (3.2, high), (5.4, low), width=1.5, taper=0.45)
    lid = [shift(arc, x, y)]
    if who.lashes:
        lid += [
            stroke((x + side * 3.6, y - tall * 0.7), (x + side * 6.6, y - tall * 0.95), width=1.3, taper=0.7),
            stroke(
                (x + side * 4.8, y - tall * 0.35), (x + side * 7.3, y - tall * 0.45), width=1.2, taper=0.7
            ),
        ]
    canvas.fill(darker((70, 44, 52), 0.45), *lid)


def _paint_beard(canvas: Canvas, who: Face, head: Mask) -> None:
    tint = darker(who.hair, 0.15)
    w, chin = who.width, who.chin
    gap = [(-9.5, 11.5), (0, 10.6), (9.5, 11.5)]
    whiskers = smooth(
        (-20.6 * w, 1), (-18.2 * w, 7), (-14 * w, 11.2), *gap, (14 * w, 11.2), (18.2 * w, 7),
        (20.6 * w, 1), (20.4 * w, 11), (17 * w, 20), (9, chin + 2.6), (0, chin + 3.6), (-9, chin + 2.6),
        (-17 * w, 20), (-20.4 * w, 11),
    )  # fmt: skip
    moustache = mirrored((0, 12), (-4, 11.4), (-8, 13.6), (-10, 16.4), (-5, 15.6), (0, 14.6))
    moustache = shift(moustache, who.turn * 1.2, 0)
    if who.beard == "stubble":
        canvas.glaze(darker(who.skin, 0.45), whiskers, inside=head, opacity=0.5, soft=1.2)
        return
    if who.beard == "moustache":
        canvas.fill(tint, shift(moustache, 0, 0.6))
        return
    if who.beard == "goatee":
        mass = canvas.fill(tint, ellipse(who.turn, chin - 0.6, 6.4, 5), moustache)
    else:
        shapes = [whiskers]
        if who.beard == "long beard":
            shapes.append(
                smooth((-18 * w, 14), (18 * w, 14), (16, 26), (8, 36), (0, 39.5), (-8, 36), (-16, 26))
            )
        mass = canvas.fill(tint, *shapes)
    canvas.glaze(darker(tint, 0.6), ellipse(20, 18, 10, 18), inside=mass, opacity=0.6, soft=4)
    canvas.glaze(lighter(tint, 0.3), ellipse(-9, 16, 7, 5), inside=mass, opacity=0.4, soft=3)
