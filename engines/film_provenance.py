"""Provenance of films, animations and archives of pictures: written into the file, and read from any file.

- MP4: the container's tags, and XMP in a `uuid` box at the end (XMP specification, part 3, section 2.3).
- GIF: a comment, and XMP in an application extension at the end (the same, section 2.1).
- ZIP of PNG files: `provenance.json`; and each PNG has a record of its own.

What is signed is the file's content: all bytes in front of the XMP, or the names and hashes of the other
files of an archive. So nothing of it can be exchanged, cut off or added without that being seen.
"""

import hashlib
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from PIL import Image

from engines.archives import READ_ERRORS, ZIP_DATE, ArchiveLimits, file_infos, open_archive, read_member
from engines.errors import EngineError
from engines.provenance import (
    MAX_XMP_BYTES,
    SOFTWARE,
    Provenance,
    as_xmp,
    record_in_xmp,
    write_png,
)
from engines.signing import Signer

RECORD_FILE = "provenance.json"
# Archives of this kind: as many pictures as a walk may have frames, and the record.
ARCHIVE_LIMITS = ArchiveLimits(max_entries=4000, max_bytes=4 << 30)
_XMP_BOX = b"uuid\xbe\x7a\xcf\xcb\x97\xa9\x42\xe8\x9c\x71\x99\x94\x91\xe3\xaf\xac"
_XMP_EXTENSION = b"\x21\xff\x0bXMP DataXMP"
# Leads a reader that takes the packet for blocks of a GIF out of it, wherever it is.
_MAGIC_TRAILER = b"\x01" + bytes(range(255, -1, -1)) + b"\x00"
_GIF_COMMENT, _GIF_END = b"\x21\xfe", b"\x3b"
_SHORT = 200
_PIECE = 1 << 20


@dataclass(frozen=True)
class FilmRecord:
    """What a file says of its making, and the SHA-256 of the content that it says it of."""

    record: Provenance
    content_sha256: str


@dataclass(frozen=True)
class FilmMarker:
    """Writes a record into films; signed, where there is a signer."""

    record: Provenance
    signer: Signer | None = None

    @property
    def tags(self) -> dict[str, str]:
        """The tags of an MP4, for `engines.film.write_film`."""
        told = {
            "title": self.record.model,
            "artist": self.record.creator,
            "copyright": self.record.licence,
            "comment": self.record.parameters(),
            "description": self.record.credit,
        }
        return {name: text for name, text in told.items() if text}

    def write_png(self, picture: Image.Image, target: IO[bytes]) -> None:
        """Encode one picture of a sequence, for `engines.film.write_picture_sequence`.

        Long settings, the points of a walk, stand in the archive's own record alone.
        """
        short = {name: told for name, told in self.record.settings.items() if len(str(told)) <= _SHORT}
        record = replace(self.record, settings=short)
        record = self.signer.sign(record, picture) if self.signer else record
        write_png(picture, target, record)

    def seal(self, path: Path) -> None:
        """Add the record to a finished file, by its suffix: .mp4, .gif or .zip. Else raises KeyError."""
        _SEALS[path.suffix](path, self)

    def complete(self, content_sha256: str) -> Provenance:
        """The record of a file whose content has this SHA-256."""
        return self.signer.sign_content(self.record, content_sha256) if self.signer else self.record


def read_film_record(file: IO[bytes]) -> FilmRecord | None:
    """What a seekable MP4, GIF or ZIP file from whomever says of its making; None where it says nothing."""
    file.seek(0)
    start = file.read(12)
    file.seek(0)
    if start[4:8] == b"ftyp":
        return _read_xmp(file, _find_box(file))
    if start.startswith((b"GIF87a", b"GIF89a")):
        return _read_xmp(file, _find_extension(file))
    return _read_archive(file)


def is_film(start: bytes) -> bool:
    """Whether a file that begins with these twelve bytes is an MP4 or a GIF."""
    return start[4:8] == b"ftyp" or start.startswith((b"GIF87a", b"GIF89a"))


def _seal_mp4(path: Path, marker: FilmMarker) -> None:
    with path.open("r+b") as file:
        xmp = as_xmp(marker.complete(_sha256(file, _length(file)))).encode()
        file.seek(0, 2)
        file.write(struct.pack(">I", 4 + len(_XMP_BOX) + len(xmp)) + _XMP_BOX + xmp)


def _seal_gif(path: Path, marker: FilmMarker) -> None:
    with path.open("r+b") as file:
        file.seek(-1, 2)
        file.write(_comment(marker.record.parameters()))
        length = file.tell()
        xmp = as_xmp(marker.complete(_sha256(file, length))).encode()
        file.seek(length)
        file.write(_XMP_EXTENSION + xmp + _MAGIC_TRAILER + _GIF_END)


def _seal_zip(path: Path, marker: FilmMarker) -> None:
    with zipfile.ZipFile(path) as archive:
        record = marker.complete(_archive_sha256(archive))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(RECORD_FILE, ZIP_DATE), record.as_json())


_SEALS: dict[str, Callable[[Path, FilmMarker], None]] = {
    ".mp4": _seal_mp4,
    ".gif": _seal_gif,
    ".zip": _seal_zip,
}


def _comment(text: str) -> bytes:
    """A comment of a GIF: blocks of up to 255 bytes."""
    told = f"{SOFTWARE}: {text}".encode()
    pieces = [told[start : start + 255] for start in range(0, len(told), 255)]
    return _GIF_COMMENT + b"".join(bytes([len(piece)]) + piece for piece in pieces) + b"\0"


def _read_xmp(file: IO[bytes], place: tuple[int, bytes] | None) -> FilmRecord | None:
    """The record in an XMP packet, and the hash of all that stands before it."""
    if place is None:
        return None
    length, xmp = place
    record = _parse(record_in_xmp(xmp))
    return FilmRecord(record, _sha256(file, length)) if record else None


def _find_box(file: IO[bytes]) -> tuple[int, bytes] | None:
    """Where the XMP box at the end of an MP4 begins, and what is in it."""
    end = _length(file)
    for start, size in _boxes(file, end):
        if start + size == end and len(_XMP_BOX) + 4 < size <= MAX_XMP_BYTES:
            file.seek(start + 4)
            if file.read(len(_XMP_BOX)) == _XMP_BOX:
                return start, file.read(size - 4 - len(_XMP_BOX))
    return None


def _boxes(file: IO[bytes], end: int) -> Iterator[tuple[int, int]]:
    """Start and size of each outermost box of an MP4 (ISO 14496-12, 4.2), until one makes no sense."""
    start = 0
    while start + 8 <= end:
        file.seek(start)
        size, kind = struct.unpack(">I4s", file.read(8))
        if size == 1 and start + 16 <= end:
            (size,) = struct.unpack(">Q", file.read(8))
        if size < 8 or start + size > end or not kind.isascii():
            return
        yield start, size
        start += size


def _find_extension(file: IO[bytes]) -> tuple[int, bytes] | None:
    """Where the XMP extension at the end of a GIF begins, and what is in it."""
    end = _length(file)
    tail_start = max(0, end - MAX_XMP_BYTES)
    file.seek(tail_start)
    tail = file.read()
    at = tail.rfind(_XMP_EXTENSION)
    closing = _MAGIC_TRAILER + _GIF_END
    if at < 0 or not tail.endswith(closing):
        return None
    return tail_start + at, tail[at + len(_XMP_EXTENSION) : -len(closing)]


def _read_archive(file: IO[bytes]) -> FilmRecord | None:
    try:
        with open_archive(file, ARCHIVE_LIMITS) as archive:
            if RECORD_FILE not in archive.namelist():
                return None
            told = read_member(archive, RECORD_FILE, max_bytes=MAX_XMP_BYTES)
            record = _parse(told.decode("utf-8", "replace"))
            return FilmRecord(record, _archive_sha256(archive)) if record else None
    except (EngineError, *READ_ERRORS):
        return None


def _archive_sha256(archive: zipfile.ZipFile) -> str:
    """Over the lines that `sha256sum` prints for the files besides the record, in their order."""
    whole = hashlib.sha256()
    for info in file_infos(archive):
        if info.filename != RECORD_FILE:
            with archive.open(info) as member:
                whole.update(f"{_hash_of(member)}  {info.filename}\n".encode())
    return whole.hexdigest()


def _parse(text: str | None) -> Provenance | None:
    try:
        return Provenance.from_json(text) if text else None
    except (ValueError, TypeError, RecursionError):
        return None


def _length(file: IO[bytes]) -> int:
    return file.seek(0, 2)


def _sha256(file: IO[bytes], length: int) -> str:
    """Of the first bytes of a file."""
    file.seek(0)
    digest = hashlib.sha256()
    while length > 0 and (piece := file.read(min(_PIECE, length))):
        digest.update(piece)
        length -= len(piece)
    return digest.hexdigest()


def _hash_of(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while piece := file.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()
