"""ZIP files that are sent while they are made."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from typing import IO, Any

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

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
) -> StreamingHttpResponse:
    """Return a download of private contents as a ZIP, made while it is sent."""
    response = StreamingHttpResponse(stream_zip(entries, is_large=is_large), content_type="application/zip")
    response["Content-Disposition"] = content_disposition_header(True, filename) or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


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
