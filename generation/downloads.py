"""Pictures as files: one in another format, several as a ZIP. Each keeps its provenance."""

import io
from collections.abc import Iterable, Iterator

from django.core.files.storage import default_storage
from django.utils.text import slugify
from PIL import Image

from catalog.signing import write_signed
from engines.provenance import ImageFormat
from generation.models import Picture
from generation.provenance import from_json

# By the ending of the address: format for the writer, content type.
FORMATS: dict[str, tuple[ImageFormat, str]] = {
    "png": ("png", "image/png"),
    "jpg": ("jpeg", "image/jpeg"),
    "webp": ("webp", "image/webp"),
}
MAX_ZIP_PICTURES = 500


def file_name(picture: Picture, ending: str = "png") -> str:
    """Return what a downloaded picture is called: model, seed and the beginning of its number."""
    title = slugify(picture.generation.model_title)[:40] or "image"
    return f"{title}-seed-{picture.seed}-{picture.pk.hex[:6]}.{ending}"


def convert(picture: Picture, ending: str) -> bytes:
    """Return the picture encoded anew as the format of `ending`, with its provenance."""
    with default_storage.open(picture.file) as stored, Image.open(stored) as image:
        encoded = io.BytesIO()
        write_signed(image, encoded, from_json(picture.provenance), file_format=FORMATS[ending][0])
    return encoded.getvalue()


def zip_entries(pictures: Iterable[Picture]) -> Iterator[tuple[str, list[bytes]]]:
    """Yield the name and the content of each picture's file, one at a time.

    A picture whose file is gone meanwhile is left out.
    """
    for picture in pictures:
        try:
            with default_storage.open(picture.file) as stored:
                content = stored.read()
        except FileNotFoundError:
            continue
        yield file_name(picture), [content]
