"""What a base of the catalog reads of a prompt, in a web process: from its tokenizer's files alone."""

from django.core.files.storage import default_storage

from catalog.files import weight_key
from catalog.models import ModelVersion
from engines.diffusion.reading import Reader
from engines.errors import ModelError

_READERS_KEPT = 8
# By version: a large tokenizer takes a few hundred milliseconds to load.
_readers: dict[str, Reader | None] = {}


def unread_part(base: ModelVersion, prompt: str) -> str:
    """Return the end of a prompt that the base does not read, "" where it reads all.

    Also "" for a base whose tokenizer is of no known form: nothing is claimed about it.
    """
    if base.sha256 not in _readers:
        while len(_readers) >= _READERS_KEPT:
            _readers.pop(next(iter(_readers)))
        _readers[base.sha256] = _load(base)
    reader = _readers[base.sha256]
    return "" if reader is None else reader.unread(prompt)


def _load(base: ModelVersion) -> Reader | None:
    found = base.files.filter(path__startswith="tokenizer").values_list("path", "sha256")
    keys = {path: weight_key(sha256) for path, sha256 in found}

    def read_file(path: str) -> bytes | None:
        if path not in keys:
            return None
        with default_storage.open(keys[path]) as file:
            content: bytes = file.read()
        return content

    try:
        return Reader.of_base(str(base.manifest.get("kind")), read_file)
    except ModelError:
        return None
