"""Reading ZIP files from strangers: members are handed out one at a time, nothing is extracted to a path.

The directory of a ZIP is written by whoever made it. So its size is bounded before it is parsed, what it
claims is summed before anything is unpacked, and what really comes out is counted while it comes.
"""

import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from django.utils.translation import gettext as _

from training.caption_files import is_caption_file
from training.exceptions import FileRefused
from training.limits import Limits
from training.names import clean_name

MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
_CHUNK = 1 << 16
_CLUTTER = {".DS_Store", "Thumbs.db", "desktop.ini", "README.md", ".gitattributes"}
# Bytes of a ZIP's directory for one entry: 46 fixed, its name, extra fields, a comment.
_DIRECTORY_BYTES_PER_ENTRY = 512
_END_RECORD = struct.Struct("<4s4H2LH")
_END_RECORD64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_READ_ERRORS = (
    zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError,
    struct.error,
)  # fmt: skip


@dataclass(frozen=True)
class Member:
    """One file in a ZIP. `position` counts the files in the order of the directory."""

    position: int
    name: str
    info: zipfile.ZipInfo


def is_zip(file: IO[bytes]) -> bool:
    """Whether a seekable file begins like a ZIP."""
    head = file.read(4)
    file.seek(0)
    return head in MAGICS


class Archive:
    """An opened ZIP whose directory has been judged."""

    def __init__(self, file: IO[bytes], limits: Limits) -> None:
        """Raises FileRefused for a damaged, empty or overwhelming ZIP."""
        self._limits = limits
        _judge_directory_size(file, limits)
        try:
            self._zip = zipfile.ZipFile(file)
        except (*_READ_ERRORS, LookupError) as error:
            raise _damaged() from error
        found = [
            Member(position, clean_name(info.filename), info)
            for position, info in enumerate(info for info in self._zip.infolist() if not _is_clutter(info))
        ]
        self.members = [member for member in found if not is_caption_file(member.name)]
        self.caption_members = [member for member in found if is_caption_file(member.name)]
        self._judge_claims(_size(file))

    def _judge_claims(self, archive_bytes: int) -> None:
        if not (self.members or self.caption_members):
            raise FileRefused(_("This ZIP is empty. Put pictures into it and add it again."))
        infos = self._zip.infolist()
        if len(infos) > self._limits.max_pictures:
            raise _too_many(self._limits)
        if sum(info.file_size for info in infos) > self._limits.max_upload_bytes:
            raise FileRefused(
                _("This ZIP unpacks to more than %(limit)d GB. Split it and add the parts.")
                % {"limit": self._limits.max_upload_bytes >> 30}
            )
        # Entries that share bytes are how a small ZIP becomes an enormous one.
        if sum(info.compress_size for info in infos) > archive_bytes:
            raise _damaged()

    @contextmanager
    def open(self, member: Member, scratch: str | None = None) -> Iterator[IO[bytes]]:
        """Unpack one member into a temporary file (in the folder `scratch`) that vanishes afterwards.

        Raises FileRefused for links, encrypted, oversized and damaged members and for a ZIP inside the ZIP.
        """
        _judge_kind(member.info)
        with tempfile.SpooledTemporaryFile(max_size=8 << 20, dir=scratch) as unpacked:
            self._unpack(member.info, unpacked)
            if is_zip(unpacked):
                raise FileRefused(_("A ZIP inside a ZIP is not opened. Unpack it and add its pictures."))
            yield unpacked

    def _unpack(self, info: zipfile.ZipInfo, target: IO[bytes]) -> None:
        room = self._limits.max_picture_bytes
        try:
            with self._zip.open(info) as source:
                while chunk := source.read(_CHUNK):
                    room -= len(chunk)
                    if room < 0:
                        raise too_many_bytes(self._limits)
                    target.write(chunk)
        except _READ_ERRORS as error:
            raise FileRefused(_("This file is damaged inside the ZIP. Add it again on its own.")) from error
        target.seek(0)


def too_many_bytes(limits: Limits) -> FileRefused:
    """The refusal of a picture whose file is too long."""
    return FileRefused(
        _("This file has more than %(limit)d MB. Make the picture smaller and add it again.")
        % {"limit": limits.max_picture_bytes >> 20}
    )


def _judge_kind(info: zipfile.ZipInfo) -> None:
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        raise FileRefused(_("This entry of the ZIP is a link, not a file. Add the picture itself."))
    if info.flag_bits & 0x1:
        raise FileRefused(_("This file is encrypted. Make the ZIP without a password and add it again."))


def _judge_directory_size(file: IO[bytes], limits: Limits) -> None:
    entries, directory_bytes = _end_record(file)
    if entries > limits.max_pictures:
        raise _too_many(limits)
    if directory_bytes > limits.max_pictures * _DIRECTORY_BYTES_PER_ENTRY:
        raise _damaged()


def _end_record(file: IO[bytes]) -> tuple[int, int]:
    """The directory's number of entries and bytes, from the record at the end (APPNOTE 4.3.14-16)."""
    length = _size(file)
    tail_length = min(length, _LOCATOR64.size + _END_RECORD.size + 0xFFFF)
    file.seek(length - tail_length)
    tail = file.read(tail_length)
    file.seek(0)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END_RECORD.size:
        raise _damaged()
    _sig, _disk, _start, _here, entries, directory_bytes, _offset, _comment = _END_RECORD.unpack_from(
        tail, at
    )
    locator = at - _LOCATOR64.size
    if locator >= 0 and tail.startswith(b"PK\x06\x07", locator):
        _sig, _disk, position, _disks = _LOCATOR64.unpack_from(tail, locator)
        # Where Python's zipfile will look for it; one that lies elsewhere could tell two stories.
        if position != length - tail_length + locator - _END_RECORD64.size:
            raise _damaged()
        file.seek(position)
        record = _END_RECORD64.unpack(file.read(_END_RECORD64.size))
        file.seek(0)
        entries, directory_bytes = record[7], record[8]
    return entries, directory_bytes


def _is_clutter(info: zipfile.ZipInfo) -> bool:
    """Folders, and the files that systems and model hubs add by themselves: nobody meant to send them."""
    parts = info.filename.replace("\\", "/").split("/")
    return info.is_dir() or "__MACOSX" in parts or parts[-1] in _CLUTTER


def _size(file: IO[bytes]) -> int:
    length = file.seek(0, 2)
    file.seek(0)
    return length


def _damaged() -> FileRefused:
    return FileRefused(_("This ZIP is damaged. Make it again and add it once more."))


def _too_many(limits: Limits) -> FileRefused:
    return FileRefused(
        _("This ZIP holds more than %(limit)s entries. Split it and add the parts.")
        % {"limit": f"{limits.max_pictures:,}"}
    )
