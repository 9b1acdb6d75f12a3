"""Folders that appear complete or not at all, and the hashes of the files in them."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `target` if the block ends without an error, else vanishes.

    Everything written is flushed to disk before the folder takes its final name. An existing `target` is
    replaced.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    try:
        yield draft
        for path in sorted(draft.rglob("*")):
            if path.is_file():
                _flush(path)
        _flush(draft)
        draft.chmod(0o755)  # mkdtemp made it 0700; the parent folder decides who gets this far
        _replace(target, draft)
        _flush(target.parent)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _replace(target: Path, draft: Path) -> None:
    if not target.exists():
        draft.rename(target)
        return
    old = draft.with_suffix(".old")
    target.rename(old)
    draft.rename(target)
    shutil.rmtree(old)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
