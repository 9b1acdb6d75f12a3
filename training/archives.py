"""Reading ZIP files from strangers: members are handed out one at a time, nothing is extracted to a path.

The directory of a ZIP is written by whoever made it. So its size is bounded before it is parsed, what it
claims is summed before anything is unpacked, and what really comes out is counted while it comes.
"""

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from django.utils.translation import gettext as _

from catalog import pictures
from engines.archives import (
    DIRECTORY_BYTES_PER_ENTRY,
    READ_ERRORS,
    ArchiveError,
    directory_size,
    is_encrypted,
    is_link,
    is_zip,
    size_of,
)
from training.caption_files import is_caption_file
from training.exceptions import FileRefused
from training.limits import Limits
from training.names import clean_name

_CHUNK = 1 << 16
_CLUTTER = {".DS_Store", "Thumbs.db", "desktop.ini", "README.md", ".gitattributes"}


@dataclass(frozen=True)
class Member:
    """One file in a ZIP. `position` counts the files in the order of the directory."""

    position: int
    name: str
    info: zipfile.ZipInfo


class Archive:
    """An opened ZIP whose directory has been judged."""

    def __init__(self, file: IO[bytes], limits: Limits) -> None:
        """Raises FileRefused for a damaged, empty or overwhelming ZIP."""
        self._limits = limits
        _judge_directory_size(file, limits)
        try:
            self._zip = zipfile.ZipFile(file)
        except READ_ERRORS as error:
            raise _damaged() from error
        found = [
            Member(position, clean_name(info.filename), info)
            for position, info in enumerate(info for info in self._zip.infolist() if not _is_clutter(info))
        ]
        self.members = [member for member in found if not is_caption_file(member.name)]
        self.caption_members = [member for member in found if is_caption_file(member.name)]
        self._judge_claims(size_of(file))

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
        except READ_ERRORS as error:
            raise FileRefused(_("This file is damaged inside the ZIP. Add it again on its own.")) from error
        target.seek(0)


def too_many_bytes(limits: Limits) -> FileRefused:
    """The refusal of a picture whose file is too long."""
    return FileRefused(str(pictures.too_many_bytes(limits)))


def _judge_kind(info: zipfile.ZipInfo) -> None:
    if is_link(info):
        raise FileRefused(_("This entry of the ZIP is a link, not a file. Add the picture itself."))
    if is_encrypted(info):
        raise FileRefused(_("This file is encrypted. Make the ZIP without a password and add it again."))


def _judge_directory_size(file: IO[bytes], limits: Limits) -> None:
    try:
        entries, directory_bytes = directory_size(file)
    except ArchiveError as error:
        raise _damaged() from error
    if entries > limits.max_pictures:
        raise _too_many(limits)
    if directory_bytes > limits.max_pictures * DIRECTORY_BYTES_PER_ENTRY:
        raise _damaged()


def _is_clutter(info: zipfile.ZipInfo) -> bool:
    """Folders, and the files that systems and model hubs add by themselves: nobody meant to send them."""
    parts = info.filename.replace("\\", "/").split("/")
    return info.is_dir() or "__MACOSX" in parts or parts[-1] in _CLUTTER


def _damaged() -> FileRefused:
    return FileRefused(_("This ZIP is damaged. Make it again and add it once more."))


def _too_many(limits: Limits) -> FileRefused:
    return FileRefused(
        _("This ZIP holds more than %(limit)s entries. Split it and add the parts.")
        % {"limit": f"{limits.max_pictures:,}"}
    )
