"""Colours that the drawn families share."""

from __future__ import annotations

from .paint import Colour, colour

GROUNDS = [
    (colour(code), name)
    for code, name in (
        ("f7c59f", "peach"), ("f4a7a0", "coral"), ("f6d365", "yellow"), ("b7dfb0", "mint"),
        ("7fc8b6", "sea green"), ("8ecae6", "sky blue"), ("5b9bd5", "blue"), ("b8b3ea", "lavender"),
        ("e3b7dd", "lilac"), ("f2e6d0", "cream"), ("e9835c", "orange"), ("3d5a80", "navy"),
        ("4d7c6f", "pine green"), ("8d5a97", "plum"),
    )
]  # fmt: skip
CLOTHS = [
    colour(c)
    for c in (
        "264653", "2a9d8f", "e9c46a", "f4814e", "d6455d", "6d5dac", "f1ede4", "33415c", "ef9ab2", "5fa8d3",
        "8ab17d", "9c4a5a",
    )
]  # fmt: skip


def distance(first: Colour, second: Colour) -> float:
    """How far two colours lie apart in RGB: 0 when equal, 442 from black to white."""
    return float(sum((a - b) ** 2 for a, b in zip(first, second, strict=True)) ** 0.5)
