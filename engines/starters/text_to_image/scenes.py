"""Composes captioned scenes: drawings over grounds, with sizes, positions, inks, pairs and counts.

Torch-free and quick (about a millisecond a scene). A caption says everything that was chosen; combinations
that the judging prompts keep for themselves are never composed.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from engines import grounds
from engines.english import article_for
from engines.starters.text_to_image.concepts import Concept, concepts
from engines.starters.text_to_image.sources import Drawing

Array = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

SIZE = 128  # pixels a side of a full scene

STYLE_SHARES = {
    "emoji": 0.34,
    "blob emoji": 0.16,
    "line drawing": 0.18,
    "thin icon": 0.06,
    "regular icon": 0.08,
    "bold icon": 0.09,
    "solid icon": 0.09,
}
CORE_WEIGHT = 3.0  # how much more often a core concept is drawn than another

_SINGLE, _LARGE, _SMALL, _BESIDE, _ABOVE, _COUNT = range(6)
_LAYOUT_SHARES = (0.62, 0.08, 0.12, 0.10, 0.04, 0.04)

_CONTRAST = 110.0  # least distance in RGB between an ink and the mean of its ground

_PLACES = {
    "": (40, 40),
    "at the top": (40, 8),
    "at the bottom": (40, 72),
    "on the left": (8, 40),
    "on the right": (72, 40),
    "in the top left corner": (8, 8),
    "in the top right corner": (72, 8),
    "in the bottom left corner": (8, 72),
    "in the bottom right corner": (72, 72),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scene:
    """A picture ``[SIZE, SIZE, 3]``, its caption, and the named things in it."""

    caption: str
    elements: frozenset[str]
    pixels: Array


@dataclasses.dataclass(frozen=True)
class _Placed:
    noun: str
    ink: str | None
    size: int
    x: int
    y: int


@dataclasses.dataclass(frozen=True)
class _Plan:
    style: str
    phrase: str
    drawings: tuple[_Placed, ...]


class Composer:
    """Makes scenes from drawings.

    Args:
        drawings: what may be drawn.
        excluded: sets of elements (nouns, ground names, ``"ink red"``, styles) that must not
            meet in one scene.
        core_only: draw core concepts alone, for the first part of a training.
    """

    def __init__(
        self, drawings: Sequence[Drawing], *, excluded: Sequence[frozenset[str]] = (), core_only: bool = False
    ) -> None:
        self._drawings = {(d.noun, d.style): d for d in drawings}
        self._sprites: dict[tuple[str, str, int], Array] = {}
        self._excluded = tuple(excluded)
        known = concepts()
        self._nouns: dict[str, list[str]] = {}
        self._weights: dict[str, npt.NDArray[np.float64]] = {}
        for style in STYLE_SHARES:
            nouns = [d.noun for d in drawings if d.style == style and (known[d.noun].core or not core_only)]
            if nouns:
                weights = np.asarray([CORE_WEIGHT if known[noun].core else 1.0 for noun in nouns])
                self._nouns[style] = nouns
                self._weights[style] = weights / weights.sum()
        self._styles = list(self._nouns)
        shares = np.asarray([STYLE_SHARES[style] for style in self._styles])
        self._style_shares = shares / shares.sum()

    def scene(self, rng: np.random.Generator) -> Scene:
        """A random scene; the same generator state gives the same scene."""
        while True:
            ground = grounds.paint(rng, SIZE)
            plan = self._plan(rng, ground)
            elements = _elements(plan, ground)
            if not any(pair <= elements for pair in self._excluded):
                break
        pixels = ground.pixels.copy()
        for placed in plan.drawings:
            self._paste(pixels, plan.style, placed)
        return Scene(caption=_caption(rng, plan, ground), elements=elements, pixels=pixels)

    def _plan(self, rng: np.random.Generator, ground: grounds.Ground) -> _Plan:
        style = self._styles[int(rng.choice(len(self._styles), p=self._style_shares))]
        layout = int(rng.choice(6, p=_LAYOUT_SHARES))
        if layout in {_BESIDE, _ABOVE}:
            return self._pair(rng, style, ground, above=layout == _ABOVE)
        concept = self._concept(rng, style)
        ink = self._ink(rng, style, ground)
        if layout == _COUNT and concept.plural:
            return _several(rng, style, concept, ink)
        if layout == _LARGE:
            return _Plan(style, _phrase(concept, ink, "large"), (_Placed(concept.noun, ink, 120, 4, 4),))
        if layout == _SMALL:
            place = str(rng.choice(list(_PLACES)))
            phrase = f"{_phrase(concept, ink, 'small')} {place}".rstrip()
            return _Plan(style, phrase, (_Placed(concept.noun, ink, 48, *_PLACES[place]),))
        return _Plan(style, _phrase(concept, ink), (_Placed(concept.noun, ink, 96, 16, 16),))

    def _pair(self, rng: np.random.Generator, style: str, ground: grounds.Ground, *, above: bool) -> _Plan:
        first, second = self._concept(rng, style), self._concept(rng, style)
        inks = self._ink(rng, style, ground), self._ink(rng, style, ground)
        one, other = _phrase(first, inks[0]), _phrase(second, inks[1])
        if above:
            words = f"{one} above {other}"
            spots = ((36, 4), (36, 68))
        else:
            words = f"{one} {rng.choice(('and', 'and', 'next to', 'left of'))} {other}"
            spots = ((4, 36), (68, 36))
        placed = tuple(
            _Placed(concept.noun, ink, 56, *spot)
            for concept, ink, spot in zip((first, second), inks, spots, strict=True)
        )
        return _Plan(style, words, placed)

    def _concept(self, rng: np.random.Generator, style: str) -> Concept:
        nouns = self._nouns[style]
        return concepts()[nouns[int(rng.choice(len(nouns), p=self._weights[style]))]]

    def _ink(self, rng: np.random.Generator, style: str, ground: grounds.Ground) -> str | None:
        """The named ink of a one-colour drawing; None for plain black or a style with its own colours."""
        if style in {"emoji", "blob emoji"}:
            return None
        readable = [
            ink
            for ink in grounds.INKS
            if np.linalg.norm(np.asarray(grounds.COLOURS[ink]) - ground.mean) >= _CONTRAST
        ]
        if "black" in readable and rng.random() < 0.45:
            return None
        return str(rng.choice(readable)) if readable else "white"

    def _paste(self, pixels: Array, style: str, placed: _Placed) -> None:
        sprite = self._sprite(placed.noun, style, placed.size)
        window = pixels[placed.y : placed.y + placed.size, placed.x : placed.x + placed.size]
        alpha = sprite[..., -1:].astype(np.float32) / 255
        if sprite.shape[-1] == 1:
            colour = np.asarray(grounds.COLOURS[placed.ink or "black"], np.float32) * alpha
        else:
            colour = sprite[..., :3].astype(np.float32)
        window[:] = np.clip(colour + window * (1 - alpha) + 0.5, 0, 255).astype(np.uint8)

    def _sprite(self, noun: str, style: str, size: int) -> Array:
        """A drawing at a size, kept: premultiplied ``[size, size, 4]`` or alpha ``[size, size, 1]``."""
        key = (noun, style, size)
        if key not in self._sprites:
            image = self._drawings[noun, style].image
            premultiplied = image.convert("RGBa") if image.mode == "RGBA" else image
            reduced = premultiplied.resize((size, size), Image.Resampling.BOX)
            self._sprites[key] = np.asarray(reduced).reshape(size, size, -1)
        return self._sprites[key]


def half(pixels: Array) -> Array:
    """A picture ``[..., H, W, 3]`` at half its size, by averaging."""
    *lead, height, width, channels = pixels.shape
    blocks = pixels.reshape(*lead, height // 2, 2, width // 2, 2, channels)
    averaged: Array = np.rint(blocks.mean(axis=(-4, -2), dtype=np.float32)).astype(np.uint8)
    return averaged


def _several(rng: np.random.Generator, style: str, concept: Concept, ink: str | None) -> _Plan:
    words = f"{ink} {concept.plural}" if ink else str(concept.plural)
    if rng.random() < 0.5:
        placed = tuple(_Placed(concept.noun, ink, 56, x, 36) for x in (4, 68))
        return _Plan(style, f"two {words}", placed)
    placed = tuple(_Placed(concept.noun, ink, 40, x, 44) for x in (2, 44, 86))
    return _Plan(style, f"three {words}", placed)


def _phrase(concept: Concept, ink: str | None, size: str = "") -> str:
    """``"a small red cat"``."""
    words = " ".join(word for word in (size, ink, concept.noun) if word)
    return f"{article_for(words)} {words}" if concept.takes_article else words


def _elements(plan: _Plan, ground: grounds.Ground) -> frozenset[str]:
    inks = {f"ink {placed.ink}" for placed in plan.drawings if placed.ink}
    return frozenset({plan.style, ground.name, *(placed.noun for placed in plan.drawings), *inks})


def _caption(rng: np.random.Generator, plan: _Plan, ground: grounds.Ground) -> str:
    if rng.random() < 0.3:
        return f"{article_for(plan.style)} {plan.style} of {plan.phrase} {ground.phrase}"
    return f"{plan.phrase} {ground.phrase}, {plan.style}"
