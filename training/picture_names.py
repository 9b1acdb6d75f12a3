"""The names of pictures outside the studio: those of an export, and those by which captions find them."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar
from uuid import UUID

from django.utils.translation import gettext as _

from training.exceptions import CaptionRefused
from training.names import clean_name

# Signs that some file system refuses, and names that Windows keeps for itself.
_REFUSED_SIGNS = re.compile(r'[<>:"/\\|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
_PICTURE_ENDINGS = frozenset(
    ("jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "tif", "tiff", "avif", "heic", "heif", "gif")
)
# A spreadsheet would take these for the beginning of a formula, a command line for an option.
_FORMULA_STARTS = tuple("=+-@'＝＋－＠")
_LONGEST_STEM = 100

Picture = TypeVar("Picture", bound="Named")


class Named(Protocol):
    """A picture, as far as its names go."""

    id: UUID
    name: str
    file: str


def export_names(pictures: Iterable[Picture]) -> Iterator[tuple[Picture, str]]:
    """Yield each picture with a file name of its own, the same for the same pictures in the same order.

    No two have the same stem, in capitals or not: their captions lie beside them as stem.txt.
    """
    taken: dict[str, int] = {}
    for picture in pictures:
        stem = _safe_stem(picture.name)
        while (count := taken.get(_key(stem), 0)) > 0:
            taken[_key(stem)] += 1
            stem = f"{stem}-{count + 1}"
        taken[_key(stem)] = 1
        yield picture, f"{stem}.{picture.file.rpartition('.')[2]}"


class PictureNames:
    """Finds the pictures that files of captions name, by the names of an export or those they came with."""

    def __init__(self, pictures: Iterable[Named]) -> None:
        self._exported: dict[str, UUID] = {}
        self._arrived: dict[str, set[UUID]] = {}
        for picture, exported in export_names(pictures):
            for key in {_key(exported), _key(_stem(exported))}:
                self._exported[key] = picture.id
            for key in {_key(picture.name), _key(_stem(picture.name))}:
                self._arrived.setdefault(key, set()).add(picture.id)

    def find(self, file_name: str) -> UUID:
        """Return the picture's id. The ending may differ: pictures are kept in a format of the studio's.

        Raises CaptionRefused when there is none, or more than one.
        """
        name = clean_name(file_name)
        # Names in different folders became the same when they were added: which is meant is not known.
        is_below_a_folder = "/" in file_name.replace("\\", "/").removeprefix("./")
        for key in (_key(name), _key(_stem(name))):
            arrived = self._arrived.get(key, set())
            if len(arrived) > 1 and (is_below_a_folder or key not in self._exported):
                raise CaptionRefused(
                    _("%(count)d pictures here are called %(name)s. Give them names of their own.")
                    % {"count": len(arrived), "name": name}
                )
            found = self._exported.get(key) or next(iter(arrived), None)
            if found is not None:
                return found
        raise CaptionRefused(_("No picture here is called %(name)s. Add it first.") % {"name": name})


def _stem(name: str) -> str:
    """A name without the ending of a picture; a name that has none stays."""
    stem, _dot, ending = name.rpartition(".")
    return stem if stem and ending.lower() in _PICTURE_ENDINGS else name


def _safe_stem(name: str) -> str:
    stem = _stem(name)
    while stem != (shorter := _stem(stem)):  # "a.jpg.png" beside "a.jpg": whose would "a.jpg.txt" be?
        stem = shorter
    stem = " ".join(_REFUSED_SIGNS.sub("_", stem).split())[:_LONGEST_STEM].strip(" .") or "picture"
    return f"_{stem}" if stem.startswith(_FORMULA_STARTS) or _RESERVED.match(stem) else stem


def _key(name: str) -> str:
    """Equal for names that a file system may take for the same."""
    return unicodedata.normalize("NFC", name).casefold()
