"""What is said about a prompt before anything is paid for: keyword missing, end not read, words not known."""

from collections.abc import Collection
from dataclasses import dataclass

from catalog.models import ModelVersion
from engines.diffusion.words import unknown_words
from generation.models import PromptStyle
from generation.prompts import Keyword, with_style
from generation.reading import unread_part, words_of
from generation.recall import has_settings


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A piece of the prompt. `instead` is what may be said for a word that the base never saw."""

    text: str
    start: int
    end: int
    is_unknown: bool = False
    instead: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Hints:
    """What deserves a word; empty where all is well.

    Attributes:
        missing: the chosen trained model's keyword, when the prompt lacks it.
        unread: the end that the base cuts off.
        has_settings: somebody put in a text that tells all settings.
        pieces: the prompt in pieces, words that the base never saw apart.
    """

    missing: Keyword | None = None
    unread: str = ""
    has_settings: bool = False
    pieces: tuple[Piece, ...] = ()

    @property
    def unknown(self) -> list[Piece]:
        """The words that the base never saw, each once."""
        return list({piece.text.lower(): piece for piece in self.pieces if piece.is_unknown}.values())


def hints_for(
    prompt: str,
    *,
    base: ModelVersion | None,
    adapter: ModelVersion | None,
    style: PromptStyle | None = None,
) -> Hints:
    """Return what there is to say about a prompt as it stands. Reads a file of the base the first time."""
    if base is None or not prompt.strip():
        return Hints()
    if has_settings(prompt):
        return Hints(has_settings=True)
    keyword = Keyword.of(adapter) if adapter else None
    told, _negative = with_style(prompt, "", style)
    taught = [word for word in (keyword.word, keyword.subject) if word] if keyword else []
    return Hints(
        missing=keyword if keyword and not keyword.is_in(prompt) else None,
        unread=unread_part(base, told),
        pieces=_pieces(prompt, base, taught),
    )


def _pieces(prompt: str, base: ModelVersion, taught: Collection[str]) -> tuple[Piece, ...]:
    words = words_of(base)
    if words is None:
        return ()
    pieces: list[Piece] = []
    end = 0
    for unknown in unknown_words(prompt, words, taught):
        pieces.append(Piece(text=prompt[end : unknown.start], start=end, end=unknown.start))
        pieces.append(
            Piece(
                text=prompt[unknown.start : unknown.end],
                start=unknown.start,
                end=unknown.end,
                is_unknown=True,
                instead=unknown.suggestions,
            )
        )
        end = unknown.end
    pieces.append(Piece(text=prompt[end:], start=end, end=len(prompt)))
    return tuple(piece for piece in pieces if piece.text)
