"""Names of uploaded files: shown, never used as paths."""

import unicodedata

MAX_LENGTH = 120


def clean_name(name: str) -> str:
    """The last part of a path in either notation, without control and direction marks, cut to MAX_LENGTH.

    A long name keeps its extension. Never empty.
    """
    last = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    visible = "".join(letter for letter in last if unicodedata.category(letter)[0] != "C").strip()
    if len(visible) > MAX_LENGTH:
        stem, dot, extension = visible.rpartition(".")
        tail = f"…{dot}{extension}" if dot and len(extension) <= 8 else "…"
        visible = (stem or visible)[: MAX_LENGTH - len(tail)] + tail
    return visible or "unnamed"
