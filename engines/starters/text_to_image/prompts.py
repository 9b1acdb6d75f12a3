"""The fifty judging prompts, fixed before any training.

Torch-free. A judge who sees one picture and four captions (the prompt and its three ``others``, in random
order) must pick the prompt. Half of the prompts bring together two things that no training
caption holds together.
"""

import dataclasses
import functools
import json
from pathlib import Path

_FILE = Path(__file__).with_name("prompts.json")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Judged:
    """A prompt, the captions it must be told from, and the two elements kept apart in training, if any."""

    prompt: str
    others: tuple[str, str, str]
    never_together: frozenset[str] | None


@functools.cache
def judged() -> tuple[Judged, ...]:
    """All fifty, in the order of the file."""
    rows = json.loads(_FILE.read_text(encoding="utf-8"))
    return tuple(
        Judged(
            prompt=row["prompt"],
            others=tuple(row["others"]),
            never_together=frozenset(row["never_together"]) if row["never_together"] else None,
        )
        for row in rows
    )


def kept_apart() -> tuple[frozenset[str], ...]:
    """The pairs of elements that a composer for training must be given as ``excluded``."""
    return tuple(item.never_together for item in judged() if item.never_together)
