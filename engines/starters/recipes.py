"""How each shipped starter was made, as data; `engines.starters.train` follows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from engines.starters.drawings import FAMILIES, write_family
from engines.starters.pictograms import PEOPLE, SMILEYS


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
    """The first `count` pictures of one of the project's own families."""

    family: str
    count: int

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
        return write_family(self.family, folder, count=self.count, size=size)


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


# No augmentation: hundreds of different drawings, reversed and on ever other grounds, are enough for this
# time. Large steps and much R1 while shapes are found, less of it once details are. The last stages take
# smaller steps and average over more of them, which is what makes edges clean.
_SETTINGS = {"ada_target": 0.0, "gamma": 1.0, "ema_kimg": 2.0, "learning_rate": 0.005, "cooldown": 0.0}


def _stages(steps: int) -> tuple[Stage, ...]:
    return (
        Stage(steps=steps // 2, settings={"gamma": 3.0}),
        Stage(steps=steps * 3 // 4),
        Stage(steps=steps - 300, settings={"ema_kimg": 4.0, "learning_rate": 0.0025}),
        Stage(steps=steps, settings={"ema_kimg": 6.0, "learning_rate": 0.001}),
    )


# Each was begun from the others as they stood then, faces64 from an earlier state of itself; their pages and
# their lineage tell.
RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "faces64": Recipe(
            pictures=Drawings("faces", 5000),
            preset="cpu64",
            settings={**_SETTINGS, "seed": 1},
            stages=_stages(5000),
        ),
        "people64": Recipe(
            pictures=PEOPLE,
            preset="cpu64",
            start="faces64",
            settings={**_SETTINGS, "seed": 11},
            stages=_stages(4000),
        ),
        "smileys64": Recipe(
            pictures=SMILEYS,
            preset="cpu64",
            start="people64",
            settings={**_SETTINGS, "seed": 12},
            stages=_stages(4000),
        ),
        "flowers64": Recipe(
            pictures=Drawings("flowers", 5000),
            preset="cpu64",
            start="faces64",
            settings={**_SETTINGS, "seed": 3},
            stages=_stages(5000),
        ),
    }
)
