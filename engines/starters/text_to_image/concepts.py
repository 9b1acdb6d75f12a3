"""The things the starter base knows, read from ``concepts.txt``.

Torch-free.
"""

import dataclasses
import functools
from pathlib import Path

from engines.english import VOWELS, article_for

_FILE = Path(__file__).with_name("concepts.txt")
_IRREGULAR_PLURALS = {"fish": "fish", "wolf": "wolves", "loaf of bread": "loaves of bread"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Concept:
    """One thing that can be drawn: its noun, and what the source drawings call it."""

    noun: str
    group: str
    emoji: str | None
    icon: str | None
    core: bool
    takes_article: bool

    @property
    def article(self) -> str:
        """``"a"``, ``"an"`` or ``""``, to be put before the noun when no adjective stands between."""
        return article_for(self.noun) if self.takes_article else ""

    @property
    def plural(self) -> str | None:
        """The plural of a one-word noun, or None where counting it would read oddly."""
        if not self.takes_article or (" " in self.noun and self.noun not in _IRREGULAR_PLURALS):
            return None
        if self.noun in _IRREGULAR_PLURALS:
            return _IRREGULAR_PLURALS[self.noun]
        if self.noun.endswith("y") and self.noun[-2] not in VOWELS:
            return self.noun[:-1] + "ies"
        if self.noun.endswith(("s", "x", "ch", "sh")):
            return self.noun + "es"
        if self.noun.endswith("man"):
            return self.noun[:-3] + "men"
        return self.noun + "s"


@functools.cache
def concepts() -> dict[str, Concept]:
    """Every concept by its noun, in the order of the file.

    Raises:
        ValueError: a noun stands twice.
    """
    found: dict[str, Concept] = {}
    group = ""
    for raw in _FILE.read_text(encoding="utf-8").splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            group = line.strip("[]")
            continue
        concept = _parse(line, group)
        if concept.noun in found:
            raise ValueError(f"{_FILE.name}: “{concept.noun}” stands twice.")
        found[concept.noun] = concept
    return found


def _parse(line: str, group: str) -> Concept:
    marked, emoji, icon, *_ = [*(part.strip() for part in line.split(";")), "", ""]
    noun = marked.lstrip("+*")
    marks = marked[: len(marked) - len(noun)]
    return Concept(
        noun=noun,
        group=group,
        emoji=_source_name(emoji, noun),
        icon=_source_name(icon, noun),
        core="*" in marks,
        takes_article="+" not in marks,
    )


def _source_name(name: str, noun: str) -> str | None:
    return None if name == "-" else name or noun
