"""`landscapes`: hills in the haze under a low sun or a moon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from .paint import Canvas, Colour, Dice, Outline, colour, darker, ellipse, lighter, mix, smooth

_SEED = 4
"""This family's own part of the random seed."""
_KNOTS = 6
"""Points that a ridge runs through."""


@dataclass(frozen=True, kw_only=True)
class Hour:
    """The colours of a time of the day: sky above and at the horizon, what shines in it, the nearest hill."""

    name: str
    zenith: Colour
    horizon: Colour
    light: Colour
    near: Colour


HOURS = [
    Hour(name=name, zenith=colour(zenith), horizon=colour(horizon), light=colour(light), near=colour(near))
    for name, zenith, horizon, light, near in (
        ("at noon", "3f8fd8", "cdeaf5", "fff3b0", "2f7a4f"),
        ("in the morning", "7fb4e8", "fbe6c8", "fff1c4", "4b8a5b"),
        ("at sunrise", "6d8fd0", "ffc9a3", "fff0b8", "5a5f8f"),
        ("at sunset", "7a3f86", "ff9a5a", "ffd85e", "5b2a54"),
        ("at dusk", "3b3470", "e58aa0", "ffe0b5", "2b2a57"),
        ("at night", "131a3f", "3f5c94", "f4f0da", "0f1c38"),
        ("in autumn", "86b7d9", "f8ead0", "fff4cf", "b5542a"),
        ("in winter", "9cc3e6", "eef4fa", "fffbe8", "6f93b8"),
        ("in the desert", "4fa3c7", "fde3b3", "fff4c2", "c4773b"),
        ("in green haze", "5fb6ae", "e6f3cf", "fbf6c9", "1f6b5f"),
    )
]


@dataclass(frozen=True, kw_only=True)
class Landscape:
    """Everything that tells one landscape from another; heights in units from the upper edge."""

    hour: Hour
    x: float
    y: float
    radius: float
    ridges: tuple[tuple[float, ...], ...]  # from the farthest to the nearest, each through its knots


def landscape(index: int) -> Landscape:
    """The traits of landscape `index`, always the same for the same index."""
    dice = Dice(_SEED, index)
    first, second = dice.pick(HOURS), dice.pick(HOURS)
    blend = dice.between(0, 0.5)
    hour = Hour(
        name=first.name,
        zenith=mix(first.zenith, second.zenith, blend),
        horizon=mix(first.horizon, second.horizon, blend),
        light=first.light,
        near=mix(first.near, second.near, blend),
    )
    x, y, radius = dice.between(22, 78), dice.between(18, 40), dice.between(7, 11)
    ridges = tuple(
        tuple(base + dice.between(-swing, swing) for _ in range(_KNOTS))
        for base, swing in ((50, 10), (63, 8), (76, 7), (89, 5))
    )
    return Landscape(hour=hour, x=x, y=y, radius=radius, ridges=ridges)


def caption(index: int) -> str:
    """A short description of landscape `index`."""
    what = landscape(index)
    side = "on the left" if what.x < 40 else "on the right" if what.x > 60 else "in the middle"
    height = "high" if what.y < 25 else "low" if what.y > 33 else "halfway up"
    shining = "moon" if what.hour.name == "at night" else "sun"
    return f"hills {what.hour.name}, the {shining} {height} {side}"


def draw(index: int, size: int, oversampling: int) -> Image.Image:
    """Draws landscape `index`, RGB, size x size pixels."""
    what = landscape(index)
    canvas = Canvas(size, _sky(what.hour), oversampling=oversampling)
    glow = canvas.mask(ellipse(what.x, what.y, what.radius * 2.1), soft=5)
    canvas.paint(glow, lighter(what.hour.light, 0.3), 0.45)
    canvas.fill(what.hour.light, ellipse(what.x, what.y, what.radius))
    layers = len(what.ridges)
    for layer, ridge in enumerate(what.ridges, start=1):
        tint = mix(what.hour.horizon, what.hour.near, (layer / layers) ** 1.2)
        hill = canvas.fill(tint, _hill(ridge))
        # Haze lies in the valleys, so every hill grows paler towards its foot.
        canvas.paint(hill.fading(0.0, 0.5), mix(what.hour.horizon, tint, 0.35))
        if layer == layers:
            canvas.paint(hill.fading(0.0, 0.55), darker(tint, 0.5))
    return canvas.picture()


def _sky(hour: Hour) -> Image.Image:
    """The sky as a small picture to be enlarged: from the zenith's colour to the horizon's at 55 % height."""
    share = np.clip((np.arange(64) + 0.5) / 64 / 0.55, 0, 1)[:, None, None]
    column = np.array(hour.zenith) * (1 - share) + np.array(hour.horizon) * share
    return Image.fromarray(np.repeat(column.round().astype(np.uint8), 64, axis=1))


def _hill(ridge: tuple[float, ...]) -> Outline:
    """From the ridge, which begins and ends beyond the picture, down to its lower edge."""
    xs = np.linspace(-20, 120, len(ridge))
    line = smooth(*zip(xs, ridge, strict=True), closed=False)
    return np.concatenate([line, [(120.0, 104.0), (-20.0, 104.0)]])
