"""ZIP files from strangers: judged before they are opened, counted while they are unpacked. No torch here.

The directory of a ZIP is written by whoever made it. So its size is bounded before it is parsed, what it
claims is summed before anything is unpacked, and what really comes out is counted while it comes.
"""

import re
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from engines.errors import EngineError
from engines.files import atomic_folder

MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
# What reading a damaged ZIP raises, from the library and from the decoders below it.
READ_ERRORS = (
    zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, LookupError, NotImplementedError,
    RuntimeError, struct.error,
)  # fmt: skip
DAMAGED = "This ZIP is damaged. Make it again and add it once more."
ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # for what we pack: the same content gives the same file at any time
_CHUNK = 1 << 20
# Bytes of a ZIP's directory for one entry: 46 fixed, its name, extra fields, a comment.
DIRECTORY_BYTES_PER_ENTRY = 512
_END_RECORD = struct.Struct("<4s4H2LH")
_END_RECORD64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._ +-]*")
_CLUTTER = frozenset({"Thumbs.db", "desktop.ini"})


class ArchiveError(EngineError):
    """A ZIP that is damaged, or holds what it may not."""


@dataclass(frozen=True, kw_only=True)
class ArchiveLimits:
    """What a ZIP may hold. `max_bytes` counts what it unpacks to, all files together."""

    max_entries: int = 2000
    max_bytes: int = 32 << 30
    max_depth: int = 4
    max_path: int = 200


def is_zip(file: IO[bytes]) -> bool:
    """Whether a seekable file begins like a ZIP."""
    head = file.read(4)
    file.seek(0)
    return head in MAGICS


def size_of(file: IO[bytes]) -> int:
    """The length of a seekable file in bytes."""
    length = file.seek(0, 2)
    file.seek(0)
    return length


def directory_size(file: IO[bytes]) -> tuple[int, int]:
    """The directory's number of entries and bytes, from the record at the end (APPNOTE 4.3.14-16).

    Raises ArchiveError where there is no such record, or two that could tell different stories.
    """
    length = size_of(file)
    tail_length = min(length, _LOCATOR64.size + _END_RECORD.size + 0xFFFF)
    file.seek(length - tail_length)
    tail = file.read(tail_length)
    file.seek(0)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END_RECORD.size:
        raise ArchiveError(DAMAGED)
    _sig, _disk, _start, _here, entries, directory_bytes, _offset, _comment = _END_RECORD.unpack_from(
        tail, at
    )
    locator = at - _LOCATOR64.size
    if locator >= 0 and tail.startswith(b"PK\x06\x07", locator):
        _sig, _disk, position, _disks = _LOCATOR64.unpack_from(tail, locator)
        # Where Python's zipfile will look for it; one that lies elsewhere could tell two stories.
        if position != length - tail_length + locator - _END_RECORD64.size:
            raise ArchiveError(DAMAGED)
        file.seek(position)
        record = _END_RECORD64.unpack(file.read(_END_RECORD64.size))
        file.seek(0)
        entries, directory_bytes = record[7], record[8]
    return entries, directory_bytes


def is_link(info: zipfile.ZipInfo) -> bool:
    """Whether an entry is anything but a plain file (or a folder)."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    return kind not in {0, stat.S_IFREG, stat.S_IFDIR}


def is_encrypted(info: zipfile.ZipInfo) -> bool:
    """Whether an entry needs a password."""
    return bool(info.flag_bits & 0x1)


def open_archive(file: IO[bytes], limits: ArchiveLimits | None = None) -> zipfile.ZipFile:
    """Open a ZIP whose directory keeps to the limits and whose names lead nowhere else.

    Raises ArchiveError with the reason.
    """
    limits = limits or ArchiveLimits()
    entries, directory_bytes = directory_size(file)
    if entries > limits.max_entries:
        raise ArchiveError(f"This ZIP holds more than {limits.max_entries} entries. Pack the model alone.")
    if directory_bytes > limits.max_entries * DIRECTORY_BYTES_PER_ENTRY:
        raise ArchiveError(DAMAGED)
    try:
        archive = zipfile.ZipFile(file)
    except READ_ERRORS as error:
        raise ArchiveError(DAMAGED) from error
    _judge_claims(archive, size_of(file), limits)
    return archive


def file_infos(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files of an opened ZIP, without folders, hidden files and what systems add by themselves."""
    return [info for info in archive.infolist() if not (info.is_dir() or _is_clutter(info.filename))]


def read_member(archive: zipfile.ZipFile, name: str, *, max_bytes: int) -> bytes:
    """The content of one small file. Raises ArchiveError where it is missing, damaged or larger."""
    try:
        with archive.open(name) as source:
            content = source.read(max_bytes + 1)
    except (*READ_ERRORS, KeyError) as error:
        raise ArchiveError(f"{name} cannot be read in this ZIP. Make it again.") from error
    if len(content) > max_bytes:
        raise ArchiveError(f"{name} in this ZIP is larger than {max_bytes >> 20} MB. Make it smaller.")
    return content


def unpack(source: Path, target: Path, limits: ArchiveLimits | None = None, *, inside: str = "") -> Path:
    """Unpack a ZIP (of it what lies below the folder `inside`) into `target`, whole or not at all.

    Raises ArchiveError for what is damaged, encrypted, a link, too much, or named so as to lead elsewhere.
    """
    limits = limits or ArchiveLimits()
    prefix = f"{inside}/" if inside else ""
    with source.open("rb") as file, open_archive(file, limits) as archive, atomic_folder(target) as draft:
        room = limits.max_bytes
        for info in file_infos(archive):
            if info.filename.startswith(prefix):
                path = draft / info.filename.removeprefix(prefix)
                path.parent.mkdir(parents=True, exist_ok=True)
                room -= _unpack_one(archive, info, path, room)
    return target


def _unpack_one(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, room: int) -> int:
    written = 0
    try:
        with archive.open(info) as source, path.open("xb") as sink:
            while chunk := source.read(_CHUNK):
                written += len(chunk)
                if written > min(room, info.file_size):
                    raise ArchiveError(DAMAGED)
                sink.write(chunk)
    except READ_ERRORS as error:
        raise ArchiveError(f"{info.filename} is damaged inside the ZIP. Make it again.") from error
    return written


def _judge_claims(archive: zipfile.ZipFile, archive_bytes: int, limits: ArchiveLimits) -> None:
    infos = archive.infolist()
    if sum(info.file_size for info in infos) > limits.max_bytes:
        raise ArchiveError(
            f"This ZIP unpacks to more than {limits.max_bytes >> 30} GB. Pack the model alone."
        )
    # Entries that share bytes are how a small ZIP becomes an enormous one.
    if sum(info.compress_size for info in infos) > archive_bytes:
        raise ArchiveError(DAMAGED)
    for info in file_infos(archive):
        _judge_entry(info, limits)
    names = [info.filename.casefold() for info in file_infos(archive)]
    if len(set(names)) != len(names):
        raise ArchiveError("This ZIP holds two files of the same name. Make it again.")


def _judge_entry(info: zipfile.ZipInfo, limits: ArchiveLimits) -> None:
    if is_link(info):
        raise ArchiveError("This ZIP holds a link, not only files. Pack the files themselves.")
    if is_encrypted(info):
        raise ArchiveError("This ZIP is encrypted. Make it without a password and add it again.")
    parts = info.filename.split("/")
    fits = len(info.filename) <= limits.max_path and len(parts) <= limits.max_depth
    if not fits or info.orig_filename != info.filename or not all(map(_PART.fullmatch, parts)):
        raise ArchiveError(
            "A file in this ZIP has a name that is not allowed. Use plain names in at most "
            f"{limits.max_depth - 1} folders: letters, digits, dots, hyphens and underscores."
        )


def _is_clutter(name: str) -> bool:
    parts = name.split("/")
    is_hidden = any(part.startswith(".") and part.strip(".") for part in parts)
    return is_hidden or "__MACOSX" in parts or parts[-1] in _CLUTTER
