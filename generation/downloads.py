"""Pictures as files: one in another format, several as a ZIP. Each keeps its provenance."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from typing import IO

from django.core.files.storage import default_storage
from django.utils.text import slugify
from PIL import Image

from engines.provenance import ImageFormat, write
from generation.models import Picture
from generation.provenance import from_json

# By the ending of the address: format for the writer, content type.
FORMATS: dict[str, tuple[ImageFormat, str]] = {
    "png": ("png", "image/png"),
    "jpg": ("jpeg", "image/jpeg"),
    "webp": ("webp", "image/webp"),
}
MAX_ZIP_PICTURES = 500
# Every file of an archive needs a time; this one makes the same selection the same bytes.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def file_name(picture: Picture, ending: str = "png") -> str:
    """Return what a downloaded picture is called: model, seed and the beginning of its number."""
    title = slugify(picture.generation.model_title)[:40] or "image"
    return f"{title}-seed-{picture.seed}-{picture.pk.hex[:6]}.{ending}"


def convert(picture: Picture, ending: str) -> bytes:
    """Return the picture encoded anew as the format of `ending`, with its provenance."""
    with default_storage.open(picture.file) as stored, Image.open(stored) as image:
        encoded = io.BytesIO()
        write(image, encoded, from_json(picture.provenance), file_format=FORMATS[ending][0])
    return encoded.getvalue()


def stream_zip(pictures: Iterable[Picture]) -> Iterator[bytes]:
    """Yield a ZIP of the pictures' files piece by piece; no more than one picture is in memory.

    A picture whose file is gone meanwhile is left out.
    """
    sink = _Pipe()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:  # PNG is compressed already
        for picture in pictures:
            try:
                with default_storage.open(picture.file) as stored:
                    content = stored.read()
            except FileNotFoundError:
                continue
            archive.writestr(zipfile.ZipInfo(file_name(picture), _ZIP_TIME), content)
            yield sink.take()
    yield sink.take()


class _Pipe(io.RawIOBase, IO[bytes]):
    """What `zipfile` writes to: keeps only what has not been sent yet."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        content = bytes(data)  # type: ignore[call-overload]
        self._waiting += content
        return len(content)

    def take(self) -> bytes:
        content = bytes(self._waiting)
        self._waiting.clear()
        return content
