"""Which words of a prompt a base never saw in its captions, and the nearest that it knows. No torch here.

A base tells what it knows in words.json: {"format": 1, "words": {word: how often it stood in captions},
"meanings": {another word: known words that mean about the same, or none}}. Bases that learnt from captions
without end have no such file, and nothing is said about their prompts.
"""

import difflib
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

from engines.errors import ModelError

FORMAT = 1
WORDS_FILE = "words.json"
MAX_SUGGESTIONS = 3
MAX_LENGTH = 40  # of a word that is worth comparing with others
# difflib's ratio: one letter off in short words, two in longer ones. Of fewer letters everything is similar.
_SIMILAR, _SHORTEST = 0.8, 4
_WORD = re.compile(r"\w+(?:['’-]\w+)*")
# Words that carry no picture: a base that never saw them misses nothing.
_SILENT_WORDS = """
    a an and any are as at be behind beside but by for from has have he her his i in inside into is it its
    made me my near no not of off on one onto or our out over please she so some that the their there these
    they this those to under up very was we were which who with without you your
"""
_SILENT = frozenset(_SILENT_WORDS.split())


class Unknown(NamedTuple):
    """A word from `start` to `end` in the prompt, and known words to say instead, the best first."""

    start: int
    end: int
    suggestions: tuple[str, ...]


@dataclass(frozen=True)
class Words:
    """What a base knows: `counts` in its captions, and `meanings` of words that it does not know."""

    counts: Mapping[str, int]
    meanings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __contains__(self, word: str) -> bool:
        return word in self.counts

    def nearest(self, word: str) -> tuple[str, ...]:
        """Known words instead of an unknown one: first by meaning, then by inflection, then by spelling."""
        if len(word) > MAX_LENGTH:
            return ()
        stems = _stems(word)
        found = [
            *self.meanings.get(word, ()),
            *(stem for stem in stems if stem in self.counts),
            *(known for stem in stems for known in self.meanings.get(stem, ())),
        ]
        if not found and self.meanings.keys().isdisjoint((word, *stems)):
            found = self._spelt_alike(word)
        return tuple(dict.fromkeys(found))[:MAX_SUGGESTIONS]

    def _spelt_alike(self, word: str) -> list[str]:
        """What somebody may have meant who mistyped: the first letter is seldom wrong."""
        if len(word) < _SHORTEST:
            return []
        alike = [known for known in self.counts if known[0] == word[0] and known not in _SILENT]
        return difflib.get_close_matches(word, alike, n=MAX_SUGGESTIONS, cutoff=_SIMILAR)


def unknown_words(prompt: str, words: Words, also_known: Collection[str] = ()) -> list[Unknown]:
    """The words of a prompt that the base never saw, in order; `also_known`: keywords of trained models."""
    taught = {part for name in also_known for part in split(name)}
    nearest = cache(words.nearest)
    return [
        Unknown(match.start(), match.end(), nearest(word))
        for match in _WORD.finditer(prompt)
        if not _is_known(word := match[0].lower(), words, taught)
    ]


def split(text: str) -> Iterator[str]:
    """The words of a text as they are counted and looked up, in small letters."""
    return (match[0].lower() for match in _WORD.finditer(text))


def count_words(captions: Iterable[str]) -> Counter[str]:
    """How often each word stands in the captions."""
    return Counter(word for caption in captions for word in split(caption))


def write_words(path: Path, words: Words) -> None:
    """Write words.json, the most frequent words first; of meanings, those that no caption held are left out.

    A word of which none is left stays: it is a word of its own, and no other one that was mistyped.
    """
    known = dict(Counter(words.counts).most_common())
    meanings = {
        name: [other for other in others if known.keys() >= set(split(other))]
        for name, others in sorted(words.meanings.items())
        if name not in known
    }
    content = {"format": FORMAT, "words": known, "meanings": meanings}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read_words(content: bytes) -> Words:
    """Read the content of a words.json. Raises ModelError where it is none."""
    try:
        values = json.loads(content)
        counts = {str(word): int(count) for word, count in values["words"].items()}
        meanings = {
            str(word): tuple(str(other) for other in others)
            for word, others in values.get("meanings", {}).items()
        }
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError("The list of words that the base knows cannot be read. Export it again.") from error
    return Words(counts, meanings)


def _is_known(word: str, words: Words, taught: Collection[str]) -> bool:
    """A compound is known by its parts ("blue-green"), a possessive by what stands before its apostrophe."""
    parts = [part for part in re.split(r"['’]s?$|-", word) if part]
    return all(part in words or part in _SILENT or part in taught for part in parts) or word in words


def _stems(word: str) -> list[str]:
    """What the word may be a form of: plurals, and endings of verbs and adjectives."""
    stems = [word.removesuffix(ending) for ending in ("s", "es", "ing", "ed", "y") if word.endswith(ending)]
    if word.endswith("ies"):
        stems.append(word[:-3] + "y")
    if word.endswith(("ing", "ed")):
        stems.append(word.removesuffix("ing").removesuffix("ed") + "e")
    return [*stems, word + "s"]
