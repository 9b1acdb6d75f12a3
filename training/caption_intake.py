"""Captions that come along with pictures: as files of an upload, and as members of a ZIP."""

import posixpath
import unicodedata
from collections.abc import Iterable, Iterator
from typing import IO

from django.utils.translation import ngettext

from training.archives import Archive, Member
from training.caption_files import (
    TEXT_ENDINGS,
    CaptionRow,
    Problem,
    Reading,
    most_bytes,
    read_captions,
)
from training.captions import kept_caption
from training.exceptions import CaptionRefused, FileRefused
from training.models import Dataset
from training.services.captions import import_captions


def take_file(dataset: Dataset, name: str, stream: IO[bytes]) -> str:
    """Give pictures the captions of a file that was sent beside them.

    Return why not all of it was taken, "" when it was. One transaction (see `import_captions`).
    """
    return _told(dataset, [read_captions(name, stream.read(most_bytes(name) + 1))])


class ArchiveCaptions:
    """The captions in a ZIP: they belong to its pictures by path, and to those here already by name."""

    def __init__(self, archive: Archive, dataset: Dataset, scratch: str | None = None) -> None:
        """Read the metadata files. Text files are read when their picture's turn comes."""
        self._archive = archive
        self._dataset = dataset
        self._scratch = scratch
        self._pictures = {_path(member) for member in archive.members}
        # "a.txt" is the caption of "a.jpg", and so is "a.jpg.txt".
        self._named = self._pictures | {_stem(path) for path in self._pictures}
        self._texts: dict[str, Member] = {}
        self._rows: dict[str, CaptionRow] = {}
        self._left = Reading()
        for member in archive.caption_members:
            if member.name.lower().endswith(TEXT_ENDINGS):
                self._texts[_stem(_path(member))] = member
            else:
                self._read_metadata(member)

    def of(self, member: Member) -> str:
        """Return the caption of a picture in the ZIP as it is kept, "" for none.

        A row of metadata counts before a text file.
        """
        row = self._row_of(member)
        try:
            return kept_caption(self._dataset, row.caption) if row else ""
        except CaptionRefused as error:
            self._left.problems.append(Problem(row.where if row else member.name, str(error)))
            return ""

    def take_others(self) -> str:
        """Give captions that are not of the ZIP's own pictures to those that are in the dataset already.

        Return why not all were taken, "" when they were. One transaction.
        """
        return _told(self._dataset, self._others())

    def _row_of(self, member: Member) -> CaptionRow | None:
        path = _path(member)
        row = self._rows.get(path)
        text = self._texts.get(_stem(path)) or self._texts.get(path)
        if row is None and text is not None:
            reading = self._read(text)
            self._left.problems += reading.problems
            row = reading.rows[0] if reading.rows else None
        return row

    def _others(self) -> Iterator[Reading]:
        yield self._left
        for stem, member in self._texts.items():
            if stem not in self._named:
                yield self._read(member)

    def _read_metadata(self, member: Member) -> None:
        reading = self._read(member)
        self._left.problems += reading.problems
        folder = posixpath.dirname(_path(member))
        for row in reading.rows:
            path = _key(posixpath.normpath(posixpath.join(folder, row.file_name.replace("\\", "/"))))
            if path in self._pictures:
                self._rows[path] = row
            else:
                self._left.rows.append(row)

    def _read(self, member: Member) -> Reading:
        try:
            with self._archive.open(member, self._scratch) as stream:
                return read_captions(member.name, stream.read(most_bytes(member.name) + 1))
        except FileRefused as refusal:
            return Reading(problems=[Problem(member.name, str(refusal))])


def _told(dataset: Dataset, readings: Iterable[Reading]) -> str:
    problems = import_captions(dataset=dataset, readings=readings).problems
    if not problems:
        return ""
    first = f"{problems[0].where}: {problems[0].reason}"
    if len(problems) == 1:
        return first
    more = ngettext("%(first)s And %(count)d more.", "%(first)s And %(count)d more.", len(problems) - 1)
    return more % {"first": first, "count": len(problems) - 1}


def _path(member: Member) -> str:
    return _key(posixpath.normpath(member.info.filename.replace("\\", "/")))


def _key(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _stem(path: str) -> str:
    folder, name = posixpath.split(path)
    return posixpath.join(folder, name.rpartition(".")[0] or name)
