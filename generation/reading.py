"""What a base of the catalog makes of a prompt, in a web process: its tokenizer and its list of words."""

from collections.abc import Callable
from typing import TypeVar

from django.core.files.storage import default_storage

from catalog.files import weight_key
from catalog.models import ModelVersion
from engines.diffusion.reading import Reader
from engines.diffusion.words import Words, read_words
from engines.errors import ModelError

T = TypeVar("T")


class _Kept:
    """The newest few of something that takes up to some hundred milliseconds to load, by version."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: dict[str, object] = {}

    def get(self, key: str, load: Callable[[], T]) -> T:
        """Return what was loaded under the key, or load it."""
        if key not in self._values:
            while len(self._values) >= self._limit:
                self._values.pop(next(iter(self._values)))
            self._values[key] = load()
        return self._values[key]  # type: ignore[return-value]  # one kind of thing for each cache


_readers, _words = _Kept(8), _Kept(8)


def unread_part(base: ModelVersion, prompt: str) -> str:
    """Return the end of a prompt that the base does not read, "" where it reads all.

    Also "" for a base whose tokenizer is of no known form: nothing is claimed about it.
    """
    reader = _readers.get(base.sha256, lambda: _load_reader(base))
    return "" if reader is None else reader.unread(prompt)


def words_of(base: ModelVersion) -> Words | None:
    """Return the words that the base learned from, None where it does not tell."""
    return _words.get(base.sha256, lambda: _load_words(base))


def _load_reader(base: ModelVersion) -> Reader | None:
    found = base.files.filter(path__startswith="tokenizer").values_list("path", "sha256")
    hashes = dict(found)
    try:
        return Reader.of_base(
            str(base.manifest.get("kind")), lambda path: _read(hashes[path]) if path in hashes else None
        )
    except (ModelError, FileNotFoundError):
        return None


def _load_words(base: ModelVersion) -> Words | None:
    name = base.manifest.get("words")
    sha256 = base.manifest["files"].get(name) if name else None
    try:
        return read_words(_read(sha256)) if sha256 else None
    except (ModelError, FileNotFoundError):
        return None


def _read(sha256: str) -> bytes:
    with default_storage.open(weight_key(sha256)) as file:
        content: bytes = file.read()
    return content
