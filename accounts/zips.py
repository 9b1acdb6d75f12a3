"""ZIP files that are sent while they are made."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from typing import IO, Any

from django.http import HttpResponseBase

from accounts.files import serve_content

# Every file of an archive needs a time; this one makes the same contents the same bytes.
_TIME = (1980, 1, 1, 0, 0, 0)
_PIECE = 256 << 10


def stream_zip(entries: Iterable[tuple[str, Iterable[bytes]]], *, is_large: bool = False) -> Iterator[bytes]:
    """Yield a ZIP piece by piece. Each entry is a name and its content in pieces, of which one is in memory.

    Nothing is compressed: pictures are already. `is_large`: an entry may have more than 2 GB.
    """
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:
        for name, pieces in entries:
            with archive.open(zipfile.ZipInfo(name, _TIME), "w", force_zip64=is_large) as member:
                for piece in pieces:
                    member.write(piece)
                    if len(pipe) >= _PIECE:
                        yield pipe.take()
            if len(pipe) >= _PIECE:
                yield pipe.take()
    yield pipe.take()


def zip_response(
    entries: Iterable[tuple[str, Iterable[bytes]]], filename: str, *, is_large: bool = False
) -> HttpResponseBase:
    """Return a download of private contents as a ZIP, made while it is sent."""
    pieces = stream_zip(entries, is_large=is_large)
    return serve_content(pieces, content_type="application/zip", filename=filename)


class _Pipe(io.RawIOBase, IO[bytes]):
    """What `zipfile` writes to: keeps only what has not been sent yet."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting = bytearray()

    def __len__(self) -> int:
        return len(self._waiting)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        content = bytes(data)
        self._waiting += content
        return len(content)

    def take(self) -> bytes:
        content = bytes(self._waiting)
        self._waiting.clear()
        return content
