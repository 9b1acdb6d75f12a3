"""The colour tokens, light and dark, against the contrast that WCAG 2.2 AA asks for."""

import math
import re
from pathlib import Path

import pytest

TOKENS = Path(__file__).resolve().parents[2] / "static/css/tokens.css"
GROUNDS = ("--canvas", "--canvas-raised", "--canvas-sunken")

# (ink, ground, ratio): 4.5 for text, 3 for the edges of controls and for focus.
PAIRS = [
    *((ink, ground, 4.5) for ink in ("--ink-1", "--ink-2", "--ink-3") for ground in GROUNDS),
    *((ink, ground, 3.0) for ink in ("--ink-4", "--focus") for ground in GROUNDS),
    *(
        (tone, ground, 4.5)
        for tone in ("--accent", "--positive", "--negative", "--warning")
        for ground in GROUNDS
    ),
    *(
        (ink, f"--{tone}-faint", 4.5)
        for tone in ("accent", "positive", "negative", "warning")
        for ink in ("--ink-1", "--ink-2", "--ink-3", f"--{tone}")
    ),
    ("--on-accent", "--accent", 4.5),
    ("--on-accent", "--accent-strong", 4.5),
]


def colours(scheme: int) -> dict[str, tuple[float, float, float]]:
    """Every `light-dark(oklch(...), oklch(...))` token; scheme 0 is light, 1 is dark."""
    found = re.findall(r"(--[\w-]+): light-dark\(oklch\(([^)]*)\), oklch\(([^)]*)\)\);", TOKENS.read_text())
    return {name: parse_oklch(values[scheme]) for name, *values in found}


def parse_oklch(text: str) -> tuple[float, float, float]:
    lightness, chroma, hue = text.split()
    return float(lightness.rstrip("%")) / 100, float(chroma), math.radians(float(hue))


def luminance(colour: tuple[float, float, float]) -> float:
    """Relative luminance (WCAG) of an OKLCH colour, by Ottosson's matrices from OKLab to linear sRGB."""
    lightness, chroma, hue = colour
    a, b = chroma * math.cos(hue), chroma * math.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short
    clipped = [min(1.0, max(0.0, channel)) for channel in (red, green, blue)]
    return 0.2126 * clipped[0] + 0.7152 * clipped[1] + 0.0722 * clipped[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground", "least"), PAIRS)
def test_contrast(ink, ground, least, scheme):
    tokens = colours(scheme)
    high, low = sorted((luminance(tokens[ink]), luminance(tokens[ground])), reverse=True)
    assert (high + 0.05) / (low + 0.05) >= least
