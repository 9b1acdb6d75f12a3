"""How each shipped starter was made, as data; `engines.starters.train` follows it."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from engines.starters.drawings import FAMILIES, draw, flowers, landscapes
from engines.starters.pictograms import PEOPLE
from engines.stylegan.config import Architecture

_FREE = "CC0-1.0"  # asks for nothing


class Pictures(Protocol):
    """Where the pictures of a starter come from."""

    @property
    def licence(self) -> str:
        """SPDX name, which the model inherits."""

    @property
    def count(self) -> int:
        """How many there are."""

    @property
    def attributions(self) -> tuple[str, ...]:
        """Whom to name beside them."""

    def write(self, folder: Path, *, size: int, images: Path | None) -> list[Path]:
        """Make them in `folder`, `size` pixels a side; `images` holds what is not part of the project."""


@dataclass(frozen=True)
class Drawings:
    """The first `count` pictures of an own family, of those whose index `keep` accepts."""

    family: str
    count: int
    keep: Callable[[int], bool] = lambda _index: True

    @property
    def licence(self) -> str:
        """SPDX name."""
        return FAMILIES[self.family].licence

    @property
    def attributions(self) -> tuple[str, ...]:
        """Nobody: they are in the public domain."""
        return ()

    def write(self, folder: Path, *, size: int, images: Path | None) -> list[Path]:
        """Draw them; nothing from outside is needed."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for index in itertools.islice(filter(self.keep, itertools.count()), self.count):
            paths.append(folder / f"{self.family}-{index:05d}.png")
            draw(self.family, index, size).save(paths[-1])
        return paths


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Train until `steps`, counted from the very beginning, with these settings on top of the recipe's."""

    steps: int
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One starter: which pictures, which preset, which settings when."""

    pictures: Pictures
    preset: str
    stages: tuple[Stage, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    start: str | None = None  # the starter it went on from

    @property
    def licence(self) -> str:
        """SPDX name: the pictures' own, or what the starter it went on from asks for."""
        if self.start and self.pictures.licence == _FREE:
            return RECIPES[self.start].licence
        return self.pictures.licence

    @property
    def attributions(self) -> tuple[str, ...]:
        """Whom to name, for the pictures and for what it went on from."""
        before = RECIPES[self.start].attributions if self.start else ()
        return (*self.pictures.attributions, *before)


def _is_cosmos(index: int) -> bool:
    """Whether flower `index` is a cosmos, of eight petals: a small network mixes kinds in one bloom."""
    return flowers.flower(index).kind.name == "cosmos"


def _shines_in_the_middle(index: int) -> bool:
    """Whether what shines in landscape `index` stands about where it does in the others."""
    what = landscapes.landscape(index)
    return abs(what.x - 50) < 6 and abs(what.y - 28) < 4


# What makes these work at 64 pixels: pictures whose parts always lie in the same places, and twice the width
# of the preset where pixels are fine (32 channels at 64 pixels). Without augmentation: hundreds of drawings,
# reversed and on ever other grounds, are enough for this time. The last stage takes smaller steps, which
# become smaller still, and averages over more of them, which is what makes edges clean.
_LAST_STEPS = 1600
_SETTINGS = {
    "architecture": Architecture(channel_base=2048),
    "ada_target": 0.0,
    "gamma": 1.0,
    "ema_kimg": 4.0,
    "learning_rate": 0.005,
    "cooldown": 0.0,
}


def _stages(steps: int) -> tuple[Stage, ...]:
    return (
        Stage(steps=steps - _LAST_STEPS),
        Stage(
            steps=steps,
            settings={"ema_kimg": 6.0, "learning_rate": 0.0025, "cooldown": _LAST_STEPS / 2 / steps},
        ),
    )


# The people were begun from an earlier state of themselves, the others from the people: their pages and their
# lineage tell.
RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "people64": Recipe(
            pictures=PEOPLE, preset="cpu64", settings={**_SETTINGS, "seed": 7}, stages=_stages(22_800)
        ),
        "flowers64": Recipe(
            pictures=Drawings("flowers", 4000, keep=_is_cosmos),
            preset="cpu64",
            start="people64",
            settings={**_SETTINGS, "seed": 7},
            stages=_stages(15_900),
        ),
        "landscapes64": Recipe(
            pictures=Drawings("landscapes", 3000, keep=_shines_in_the_middle),
            preset="cpu64",
            start="people64",
            settings={**_SETTINGS, "seed": 7},
            stages=_stages(12_200),
        ),
    }
)
