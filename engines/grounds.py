"""What a subject can stand on: plain colours, gradients, simple patterns and drawn surroundings.

Torch-free. A ground is named by what a caption calls it, and painted from a random generator.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from engines.english import article_for

Array = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Rgb = tuple[int, int, int]

COLOURS: dict[str, Rgb] = {
    "white": (250, 250, 250),
    "black": (22, 22, 24),
    "grey": (150, 150, 154),
    "red": (222, 52, 48),
    "orange": (250, 146, 40),
    "yellow": (252, 214, 60),
    "green": (62, 164, 78),
    "blue": (44, 104, 214),
    "purple": (132, 72, 184),
    "pink": (248, 150, 188),
    "brown": (128, 84, 54),
    "turquoise": (54, 190, 190),
    "beige": (238, 222, 192),
    "light blue": (166, 210, 246),
    "light green": (176, 226, 160),
    "dark blue": (24, 42, 94),
}
# Colours a one-colour drawing may be drawn in.
INKS = ("black", "white", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")

_COLOUR_WOBBLE = 6  # largest shift of a channel, of 255: a colour word means a neighbourhood, not one value
_SURROUNDING_VARIANTS = (
    16  # painted ahead for each surrounding and size: Pillow is too slow to paint one a scene
)


@dataclasses.dataclass(frozen=True)
class Ground:
    """A ground's phrase in a caption, its name for exclusions, and its pixels ``[size, size, 3]``."""

    name: str
    phrase: str
    pixels: Array

    @functools.cached_property
    def mean(self) -> Floats:
        """Mean colour ``[3]``, 0-255."""
        mean: Floats = self.pixels.reshape(-1, 3).mean(axis=0, dtype=np.float32)
        return mean


def paint(rng: np.random.Generator, size: int) -> Ground:
    """A random ground: plain half of the time, else a gradient, a pattern or a surrounding."""
    kind = rng.choice(4, p=(0.5, 0.14, 0.12, 0.24))
    return (plain, gradient, pattern, surrounding)[kind](rng, size)


def plain(rng: np.random.Generator, size: int, name: str | None = None) -> Ground:
    """One colour all over."""
    name = name or str(rng.choice(list(COLOURS)))
    pixels = np.empty((size, size, 3), np.uint8)
    pixels[:] = _wobbled(rng, name)
    return Ground(name, f"on {article_for(name)} {name} background", pixels)


def gradient(rng: np.random.Generator, size: int) -> Ground:
    """One colour above turning into another below."""
    above, below = (str(name) for name in rng.choice(list(COLOURS), 2, replace=False))
    ramp = np.linspace(0, 1, size, dtype=np.float32)[:, None]
    column = (1 - ramp) * _wobbled(rng, above) + ramp * _wobbled(rng, below)
    pixels = np.repeat(column[:, None, :], size, axis=1).astype(np.uint8)
    return Ground(f"{above} to {below}", f"on {article_for(above)} {above} to {below} gradient", pixels)


def pattern(rng: np.random.Generator, size: int) -> Ground:
    """Stripes, dots or checks in two colours."""
    first, second = (str(name) for name in rng.choice(list(COLOURS), 2, replace=False))
    kind = str(rng.choice(("stripes", "dots", "checks")))
    y, x = np.mgrid[0:size, 0:size] * (128 / size)
    if kind == "stripes":
        mask = (x // 16) % 2 == 1
        phrase = f"on {first} and {second} stripes"
    elif kind == "dots":
        mask = ((x % 32) - 16) ** 2 + ((y % 32) - 16) ** 2 < 7**2
        phrase = f"on {first} with {second} dots"
    else:
        mask = ((x // 16) + (y // 16)) % 2 == 1
        phrase = f"on {first} and {second} checks"
    pixels = np.where(mask[..., None], _wobbled(rng, second), _wobbled(rng, first)).astype(np.uint8)
    return Ground(f"{first} {second} {kind}", phrase, pixels)


def surrounding(rng: np.random.Generator, size: int, name: str | None = None) -> Ground:
    """A drawn place or weather, one of a few painted variants."""
    name = name or str(rng.choice(list(SURROUNDINGS)))
    variant = int(rng.integers(_SURROUNDING_VARIANTS))
    return Ground(name, SURROUNDINGS[name][0], _painted(name, variant, size))


def _wobbled(rng: np.random.Generator, name: str) -> Floats:
    shift = rng.integers(-_COLOUR_WOBBLE, _COLOUR_WOBBLE + 1, 3)
    return np.clip(np.asarray(COLOURS[name]) + shift, 0, 255).astype(np.float32)


@functools.cache
def _painted(name: str, variant: int, size: int) -> Array:
    """A variant of a surrounding ``[size, size, 3]``, painted large and reduced."""
    rng = np.random.default_rng([variant, *name.encode()])
    canvas = Image.new("RGB", (256, 256))
    SURROUNDINGS[name][1](canvas, ImageDraw.Draw(canvas), rng)
    reduced = np.asarray(canvas.resize((size, size), Image.Resampling.BOX)).copy()
    reduced.flags.writeable = False
    return reduced


Painter = Callable[[Image.Image, ImageDraw.ImageDraw, np.random.Generator], None]


def _shade(canvas: Image.Image, top: Rgb, bottom: Rgb, start: int = 0, end: int = 256) -> None:
    """Fill rows ``start`` to ``end`` of a 256 px canvas with a vertical gradient."""
    ramp = np.linspace(0, 1, end - start, dtype=np.float32)[:, None]
    column = (1 - ramp) * np.asarray(top, np.float32) + ramp * np.asarray(bottom, np.float32)
    band = np.repeat(column[:, None, :], 256, axis=1).astype(np.uint8)
    canvas.paste(Image.fromarray(band), (0, start))


def _hill(draw: ImageDraw.ImageDraw, rng: np.random.Generator, height: int, colour: Rgb) -> None:
    phase, swing = rng.uniform(0, 6.28), rng.uniform(6, 14)
    ridge = [(x, height + swing * np.sin(x / 60 + phase)) for x in range(0, 264, 8)]
    draw.polygon([*ridge, (256, 256), (0, 256)], fill=colour)


def _disc(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, colour: Rgb) -> None:
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _clouds(draw: ImageDraw.ImageDraw, rng: np.random.Generator, count: int, colour: Rgb) -> None:
    for _ in range(count):
        x, y = rng.uniform(0, 256), rng.uniform(14, 70)
        for offset, radius in ((-16, 10), (0, 15), (16, 10)):
            _disc(draw, x + offset, y, radius, colour)


def _meadow(canvas: Image.Image, draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    _shade(canvas, (120, 190, 246), (206, 234, 252))
    _clouds(draw, rng, 3, (250, 252, 255))
    _hill(draw, rng, 150, (134, 198, 92))
    _hill(draw, rng, 184, (104, 178, 72))
    for _ in range(26):
        colours: tuple[Rgb, ...] = ((250, 250, 250), (250, 214, 70), (238, 110, 150))
        _disc(draw, rng.uniform(0, 256), rng.uniform(204, 252), 3, colours[int(rng.integers(3))])


def _beach(canvas: Image.Image, draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    _shade(canvas, (110, 194, 250), (214, 240, 254), 0, 120)
    _disc(draw, rng.uniform(24, 232), rng.uniform(20, 50), 18, (255, 232, 120))
    _shade(canvas, (30, 132, 200), (80, 196, 214), 120, 256)
    _hill(draw, rng, 180, (246, 250, 252))
    _hill(draw, rng, 188, (244, 218, 160))


def _snow(canvas: Image.Image, draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    _shade(canvas, (140, 168, 204), (204, 218, 236))
    _hill(draw, rng, 150, (226, 234, 244))
    _hill(draw, rng, 190, (244, 248, 252))
    for _ in range(70):
        _disc(draw, rng.uniform(0, 256), rng.uniform(0, 256), rng.uniform(2, 4), (255, 255, 255))


def _night(canvas: Image.Image, draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    _shade(canvas, (12, 16, 48), (44, 52, 112))
    for _ in range(60):
        _disc(draw, rng.uniform(0, 256), rng.uniform(0, 256), rng.uniform(1, 2.6), (250, 246, 214))
    x, y = rng.choice((36, 220)), rng.uniform(30, 50)
    _disc(draw, x, y, 20, (250, 240, 190))


def _forest(canvas: Image.Image, draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    _shade(canvas, (190, 222, 200), (222, 238, 214))
    for row, colour in ((160, (94, 150, 104)), (205, (52, 112, 68))):
        for x in range(int(rng.integers(-20, 0)), 270, 34):
            top = row - rng.uniform(80, 130)
            draw.polygon([(x, row + 10), (x + 40, row + 10), (x + 20, top)], fill=colour)
    draw.rectangle((0, 205, 256, 256), fill=(74, 128, 66))


def _desert(canvas: Image.Image, draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    _shade(canvas, (250, 196, 130), (254, 232, 190))
    _disc(draw, rng.uniform(30, 226), rng.uniform(24, 60), 20, (255, 246, 210))
    _hill(draw, rng, 150, (232, 176, 104))
    _hill(draw, rng, 196, (216, 150, 80))


def _city(canvas: Image.Image, draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    _shade(canvas, (150, 196, 232), (222, 234, 242))
    x = 0
    while x < 256:
        width, top = int(rng.integers(30, 48)), int(rng.integers(50, 130))
        grey = int(rng.integers(96, 150))
        draw.rectangle((x, top, x + width - 3, 216), fill=(grey, grey + 6, grey + 18))
        for wy in range(top + 8, 208, 18):
            for wx in range(x + 6, x + width - 9, 12):
                draw.rectangle((wx, wy, wx + 5, wy + 8), fill=(250, 228, 150))
        x += width
    draw.rectangle((0, 216, 256, 256), fill=(84, 86, 92))
    for dash in range(4, 256, 40):
        draw.rectangle((dash, 234, dash + 20, 238), fill=(240, 240, 236))


def _underwater(canvas: Image.Image, draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    _shade(canvas, (72, 184, 222), (14, 72, 140))
    for _ in range(22):
        x, y, radius = rng.uniform(0, 256), rng.uniform(0, 220), rng.uniform(3, 7)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=(190, 232, 248), width=2)
    _hill(draw, rng, 230, (206, 184, 130))


def _sunset(canvas: Image.Image, draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    _shade(canvas, (112, 62, 140), (250, 132, 84), 0, 150)
    _shade(canvas, (250, 132, 84), (254, 206, 110), 150, 200)
    _disc(draw, rng.uniform(50, 206), 180, 30, (255, 232, 140))
    _shade(canvas, (92, 60, 120), (48, 36, 84), 200, 256)


def _rain(canvas: Image.Image, draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    _shade(canvas, (104, 116, 134), (150, 162, 176))
    _clouds(draw, rng, 7, (82, 92, 110))
    for _ in range(60):
        x, y = rng.uniform(0, 266), rng.uniform(50, 256)
        draw.line((x, y, x - 6, y + 18), fill=(206, 224, 244), width=2)


def _space(canvas: Image.Image, draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    for _ in range(3):
        x, y = rng.uniform(0, 256, 2)
        _disc(draw, x, y, rng.uniform(40, 80), (48, 20, 76))
    canvas.paste(canvas.filter(ImageFilter.GaussianBlur(28)))
    for _ in range(80):
        _disc(draw, rng.uniform(0, 256), rng.uniform(0, 256), rng.uniform(0.8, 2.2), (240, 240, 255))
    _disc(draw, rng.uniform(20, 236), rng.uniform(20, 60), rng.uniform(10, 18), (214, 130, 90))


def _room(_: Image.Image, draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    walls: tuple[Rgb, ...] = ((240, 226, 200), (206, 222, 228), (226, 206, 214))
    draw.rectangle((0, 0, 256, 190), fill=walls[int(rng.integers(3))])
    draw.rectangle((0, 190, 256, 256), fill=(170, 120, 78))
    for y in range(206, 256, 16):
        draw.line((0, y, 256, y), fill=(146, 100, 62), width=2)
    draw.rectangle((0, 184, 256, 191), fill=(250, 248, 242))
    left = int(rng.choice((18, 172)))
    draw.rectangle((left, 26, left + 66, 92), fill=(250, 250, 248))
    draw.rectangle((left + 6, 32, left + 60, 86), fill=(160, 208, 244))


SURROUNDINGS: dict[str, tuple[str, Painter]] = {
    "meadow": ("on a meadow", _meadow),
    "beach": ("at the beach", _beach),
    "snow": ("in the snow", _snow),
    "night sky": ("under a night sky", _night),
    "forest": ("in a forest", _forest),
    "desert": ("in the desert", _desert),
    "city": ("in a city", _city),
    "underwater": ("under water", _underwater),
    "sunset": ("at sunset", _sunset),
    "rain": ("in the rain", _rain),
    "space": ("in space", _space),
    "room": ("in a room", _room),
}
