"""Seeds as people write them: `3, 8, 20-31`."""

import re
import secrets
from collections.abc import Sequence

from django.utils.translation import gettext as _

# What every random generator in use takes.
MAX_SEED = 2**32 - 1
MAX_COUNT = 64

_PART = re.compile(r"(\d{1,10})(?:\s*[-–]\s*(\d{1,10}))?")


def parse_seeds(text: str) -> list[int]:
    """Read single seeds and ranges, parted by commas or spaces, in the order given, each once.

    Raises ValueError with a sentence for the user: nothing or something else in the text, a seed beyond
    MAX_SEED, more than MAX_COUNT seeds.
    """
    joined = re.sub(r"\s*([-–])\s*", r"\1", text)
    seeds: dict[int, None] = {}
    for part in re.split(r"[,;\s]+", joined.strip(" ,;\n\t")):
        for seed in _range(part):
            seeds[seed] = None
            if len(seeds) > MAX_COUNT:
                raise ValueError(_too_many())
    return list(seeds)


def _range(part: str) -> range:
    match = _PART.fullmatch(part)
    if match is None:
        raise ValueError(_("Write seeds as whole numbers and ranges, for example 3, 8, 20-31."))
    first = int(match[1])
    last = int(match[2] or match[1])
    if last < first:
        raise ValueError(_("In the range %(range)s put the smaller seed first.") % {"range": part})
    if last > MAX_SEED:
        raise ValueError(_("A seed is at most %(max)d.") % {"max": MAX_SEED})
    if last - first >= MAX_COUNT:
        raise ValueError(_too_many())
    return range(first, last + 1)


def _too_many() -> str:
    return _("That is more than %(max)d seeds. Make the rest in a second go.") % {"max": MAX_COUNT}


def format_seeds(seeds: Sequence[int]) -> str:
    """Write seeds so that `parse_seeds` reads the same: neighbours become a range."""
    parts: list[str] = []
    start = 0
    for index in range(1, len(seeds) + 1):
        if index == len(seeds) or seeds[index] != seeds[index - 1] + 1:
            first, last = seeds[start], seeds[index - 1]
            parts.append(str(first) if first == last else f"{first}-{last}")
            start = index
    return ", ".join(parts)


def new_first_seed() -> int:
    """Choose where seeds in a row begin: new pictures each time, and a number that people can read out."""
    return secrets.randbelow(10_000_000)
