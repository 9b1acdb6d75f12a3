"""Drawn mascots: six creatures, each of one design, in any pose, on any ground. Pillow only."""

import random
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from engines.images import UInt8Array

SIDE = 256
_SCALE = 2  # drawn larger, then smoothed
_GROUNDS = ("#f3e9d2", "#cfe8ef", "#dff0d8", "#f6d5d5", "#e4dcf1", "#fff6b8", "#d9d9d9", "#ffffff")


@dataclass(frozen=True, kw_only=True)
class Mascot:
    """What all pictures of one creature share."""

    body: str
    belly: str
    ears: str  # "round", "pointed", "long" or "horns"
    eyes: int
    mark: str  # "stripes", "spots", "scarf" or ""


MASCOTS = (
    Mascot(body="#8e44ad", belly="#f1c40f", ears="horns", eyes=3, mark="stripes"),
    Mascot(body="#27ae60", belly="#eafaf1", ears="round", eyes=1, mark="spots"),
    Mascot(body="#e67e22", belly="#fdebd0", ears="pointed", eyes=2, mark="scarf"),
    Mascot(body="#2980b9", belly="#d6eaf8", ears="long", eyes=2, mark="spots"),
    Mascot(body="#c0392b", belly="#2c3e50", ears="round", eyes=2, mark="stripes"),
    Mascot(body="#16a085", belly="#fef9e7", ears="horns", eyes=2, mark="scarf"),
)


def draw_mascot(mascot: Mascot, seed: int) -> UInt8Array:
    """A picture uint8 `[256, 256, 3]` of a creature; pose, size, place and ground come from the seed."""
    chance = random.Random(seed)
    side = SIDE * _SCALE
    creature = Image.new("RGBA", (side, side))
    _draw(ImageDraw.Draw(creature), mascot, chance, side)
    size = int(side * chance.uniform(0.75, 1.0))
    posed = creature.rotate(chance.uniform(-18, 18), Image.Resampling.BICUBIC).resize((size, size))
    if chance.random() < 0.5:
        posed = posed.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    picture = Image.new("RGB", (side, side), chance.choice(_GROUNDS))
    picture.paste(posed, (chance.randint(0, side - size), side - size), posed)
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def _draw(draw: ImageDraw.ImageDraw, mascot: Mascot, chance: random.Random, side: int) -> None:
    """Draw the creature upright, facing us, with its arms and its eyes where the chance has them."""

    def oval(x: float, y: float, across: float, down: float, colour: str) -> None:
        box = [(x - across) * side, (y - down) * side, (x + across) * side, (y + down) * side]
        draw.ellipse(box, fill=colour)

    for sign in (-1, 1):
        _ear(draw, mascot, sign, side)
        lift = chance.uniform(-0.12, 0.16)
        oval(0.5 + sign * 0.29, 0.62 - lift, 0.09, 0.06, mascot.body)
        oval(0.5 + sign * 0.13, 0.93, 0.1, 0.05, mascot.body)
    oval(0.5, 0.56, 0.27, 0.36, mascot.body)
    oval(0.5, 0.7, 0.17, 0.19, mascot.belly)
    if mascot.mark == "stripes":
        for row in range(3):
            oval(0.5, 0.62 + row * 0.08, 0.15, 0.014, mascot.body)
    if mascot.mark == "spots":
        for x, y in ((0.33, 0.5), (0.67, 0.55), (0.36, 0.72), (0.66, 0.78)):
            oval(x, y, 0.028, 0.028, mascot.belly)
    look = chance.uniform(-0.014, 0.014)
    for eye in range(mascot.eyes):
        x = 0.5 + (eye - (mascot.eyes - 1) / 2) * 0.15
        oval(x, 0.4, 0.065, 0.075, "white")
        oval(x + look, 0.41, 0.03, 0.036, "black")
    smile = chance.uniform(0.02, 0.05)
    draw.arc(
        [0.42 * side, (0.5 - smile) * side, 0.58 * side, (0.5 + smile) * side], 0, 180, "black", side // 60
    )
    if mascot.mark == "scarf":
        draw.rounded_rectangle([0.25 * side, 0.55 * side, 0.75 * side, 0.61 * side], side // 40, "#e74c3c")
        draw.rectangle([0.6 * side, 0.58 * side, 0.67 * side, 0.78 * side], "#e74c3c")


def _ear(draw: ImageDraw.ImageDraw, mascot: Mascot, sign: int, side: int) -> None:
    x = 0.5 + sign * 0.17
    shapes = {
        "round": [(x - 0.09, 0.14), (x + 0.09, 0.32)],
        "long": [(x - 0.05, 0.02), (x + 0.05, 0.36)],
    }
    if mascot.ears in shapes:
        draw.ellipse([value * side for corner in shapes[mascot.ears] for value in corner], mascot.body)
        return
    colour = mascot.body if mascot.ears == "pointed" else mascot.belly
    tip = x + sign * (0.04 if mascot.ears == "pointed" else 0.1)
    corners = [(x - 0.08, 0.32), (tip, 0.08), (x + 0.08, 0.32)]
    draw.polygon([(across * side, down * side) for across, down in corners], colour)
