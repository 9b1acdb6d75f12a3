"""What is done to prompts: styles, the keywords of trained models, and words that are refused."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from catalog.models import ModelVersion
from generation.models import BlockedWord, PromptStyle

# Longer prompts are refused; what a base reads of shorter ones is another matter (generation.reading).
MAX_LENGTH = 2000
STYLE_PURPOSE = "style"


@dataclass(frozen=True, kw_only=True)
class Keyword:
    """What a trained model answers to.

    `subject` is the kind of thing that it shows ("cat"), empty where none is known; a style is named behind
    what is drawn in it, as its training's captions do.
    """

    word: str
    subject: str = ""
    is_style: bool = False

    @classmethod
    def of(cls, version: ModelVersion) -> "Keyword":
        """Return the keyword that a trained model's manifest names; its word may be empty."""
        manifest: dict[str, Any] = version.manifest
        return cls(
            word=str(manifest.get("keyword") or ""),
            subject=str(manifest.get("subject") or ""),
            is_style=manifest.get("purpose") == STYLE_PURPOSE,
        )

    @property
    def phrase(self) -> str:
        """How a prompt says it, as the captions did that it was learned from."""
        return f"in the style of {self.word}" if self.is_style else f"{self.word} {self.subject}".strip()

    def is_in(self, prompt: str) -> bool:
        """Whether the prompt has the keyword as a word of its own, in any case."""
        return not self.word or _word(self.word).search(prompt) is not None

    def put_into(self, prompt: str) -> str:
        """Return the prompt with the keyword, before its subject where the prompt names that already.

        A prompt that has it stays as it is.
        """
        if self.is_in(prompt):
            return prompt
        rest = prompt.strip()
        if self.is_style:
            return f"{rest} {self.phrase}".strip()
        named = _word(self.subject).search(rest) if self.subject else None
        if named is not None:
            return f"{rest[: named.start()]}{self.word} {rest[named.start() :]}"
        return f"{self.phrase} {rest}".strip()

    def replaced_in(self, prompt: str, phrase: str) -> str:
        """Return the prompt with another phrase, which may be empty, in place of this keyword's own."""
        word = rf"(?<!\w){re.escape(self.word)}(?!\w)"
        own = (
            rf"(\bin the style of\s+)?{word}"
            if self.is_style
            else rf"{word}(\s+{re.escape(self.subject)}(?!\w))?"
        )
        replaced = re.sub(own, lambda _found: phrase, prompt, flags=re.IGNORECASE)
        return re.sub(r"[ \t]{2,}", " ", replaced).strip(" ,")


def switch_keyword(prompt: str, chosen: Keyword | None, others: Iterable[Keyword]) -> str:
    """Return the prompt with the chosen keyword, or none, in place of whichever of the others it has.

    A subject stays where its keyword goes: "mimochi cat in the snow" becomes "cat in the snow".
    """
    for other in others:
        if not other.word or other == chosen or not other.is_in(prompt):
            continue
        takes_its_place = chosen is not None and chosen.is_style == other.is_style
        if chosen is not None and takes_its_place and not chosen.is_in(prompt):
            prompt = other.replaced_in(prompt, chosen.phrase)
        else:
            prompt = other.replaced_in(prompt, "" if other.is_style else other.subject)
    return prompt if chosen is None else chosen.put_into(prompt)


def with_style(prompt: str, negative_prompt: str, style: PromptStyle | None) -> tuple[str, str]:
    """Return prompt and negative prompt as the base is told them."""
    if style is None:
        return prompt, negative_prompt
    negatives = ", ".join(part for part in (negative_prompt, style.negative_prompt) if part)
    return style.template.replace("{prompt}", prompt), negatives


def blocked_in(text: str) -> str:
    """Return the first word or phrase in the text that this installation refuses, or "". One query."""
    plain = _plain(text)
    blocked = BlockedWord.objects.values_list("text", flat=True)
    return next((word for word in blocked if _word(_plain(word)).search(plain)), "")


def _plain(text: str) -> str:
    """Return a text as it is compared: neither case, nor look-alike letters, nor spacing hide a word."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _word(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)
