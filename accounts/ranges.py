"""Parts of a file, as players ask for them when somebody jumps within a film (RFC 9110, section 14)."""

import re
from typing import IO

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase

_ONE_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def answer_with_part(
    request: HttpRequest, file: IO[bytes], size: int, *, etag: str | None
) -> HttpResponseBase:
    """The part of an open file of `size` bytes that the request asks for, or the whole of it.

    Several ranges at once, and ranges of another state of the file (If-Range), get the whole file, as the
    standard allows. A range that begins beyond the end gets 416. Closes the file with the response.
    """
    asked = _ONE_RANGE.fullmatch(request.headers.get("Range", ""))
    condition = request.headers.get("If-Range")
    if request.method != "GET" or asked is None or not any(asked.groups()) or condition not in (None, etag):
        response: HttpResponseBase = FileResponse(file)
    else:
        begin, end = _bounds(asked[1], asked[2], size)
        if begin >= end:
            file.close()
            return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
        file.seek(begin)
        response = FileResponse(_Part(file, end - begin), status=206)
        response["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
        response["Content-Length"] = str(end - begin)
    response["Accept-Ranges"] = "bytes"
    return response


def _bounds(first: str, last: str, size: int) -> tuple[int, int]:
    """From the first byte to before the byte that does not belong to it; `-n` are the last n bytes."""
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1) if last else size


class _Part:
    """So many bytes of a file, from where it stands."""

    def __init__(self, file: IO[bytes], length: int) -> None:
        self._file = file
        self._left = length

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; none at the end of the part."""
        wanted = self._left if size < 0 else min(size, self._left)
        piece = self._file.read(wanted)
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        """Close the file."""
        self._file.close()
