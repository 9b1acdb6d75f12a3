"""Making a picture that arrived safe and uniform. Pillow only: no database, no storage.

What is kept is never what was sent: a picture is decoded in full (`catalog.pictures`) and encoded anew. So
metadata (places, names), trailers and polyglots do not survive, and training reads one kind of file.

Pictures that arrive without loss (PNG, BMP, TIFF) stay lossless as PNG up to `LOSSLESS_PIXELS`: drawings are
small that way and exact. All others become JPEG of quality 95 without chroma subsampling: its error lies
below what training sees after resizing, and it encodes ten times faster than PNG or WebP.
"""

import hashlib
import io
from dataclasses import dataclass
from typing import IO

import numpy as np
from django.utils.translation import gettext as _
from PIL import Image

from catalog.pictures import PictureRefused, read_picture
from engines.likeness import picture_print
from engines.measures import Measures, at_measured_side, measure_picture
from training.exceptions import FileRefused
from training.limits import Limits

LOSSLESS_PIXELS = 4_000_000
# Training never reads more than 1,024 pixels a side; twice that leaves room for a crop.
KEPT_SHORTER_SIDE = 2048
THUMBNAIL_SIDE = 320
# Brightest minus darkest value, out of 255, of a picture that is taken for one flat colour.
FLAT_RANGE = 4
BLACK_BELOW = 8


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a picture looks when it is small, and what is told from that."""

    thumbnail: bytes  # WebP, at most THUMBNAIL_SIDE a side
    measures: Measures
    pixels: bytes  # of its print (engines.likeness)


@dataclass(frozen=True, kw_only=True)
class CheckedPicture:
    """A picture as it is kept. `sha256` is over the upright RGB pixels, before they are encoded."""

    sha256: str
    width: int
    height: int
    content: bytes
    extension: str
    look: Look


def check_picture(file: IO[bytes], limits: Limits) -> CheckedPicture:
    """Decode, judge and re-encode the picture in a seekable binary file.

    The size in pixels is judged before anything is decoded. Raises FileRefused with the plain reason.
    """
    try:
        read = read_picture(file, limits)
    except PictureRefused as refusal:
        raise FileRefused(str(refusal)) from refusal
    image = _reduced(read.image)
    small = at_measured_side(image)
    _judge_pixels(small)
    content, extension = _encode(image, lossless=read.is_lossless)
    return CheckedPicture(
        sha256=pixel_sha256(image),
        width=image.width,
        height=image.height,
        content=content,
        extension=extension,
        look=look_of(small),
    )


def pixel_sha256(image: Image.Image) -> str:
    """SHA-256 over the size and the RGB pixels: equal for equal pictures, whatever file they came in."""
    digest = hashlib.sha256(f"{image.width}x{image.height}:".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()


def look_of(image: Image.Image) -> Look:
    """Thumbnail, figures and print of an RGB picture; all come from one small copy of it."""
    small = at_measured_side(image)
    return Look(
        thumbnail=make_thumbnail(small),
        measures=measure_picture(small),
        pixels=picture_print(small).tobytes(),
    )


def make_thumbnail(image: Image.Image) -> bytes:
    """The whole picture as a WebP of at most THUMBNAIL_SIDE pixels a side."""
    small = image.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    buffer = io.BytesIO()
    small.save(buffer, format="WEBP", quality=82, method=2)
    return buffer.getvalue()


def _judge_pixels(image: Image.Image) -> None:
    # Averaged first: compression noise and single stray pixels must not make a picture of a flat one.
    small = np.asarray(image.reduce(max(1, min(image.size) // 128))).reshape(-1, 3).astype(int)
    darkest, brightest = small.min(axis=0), small.max(axis=0)
    if (brightest - darkest).max() > FLAT_RANGE:
        return
    if brightest.max() <= BLACK_BELOW:
        raise FileRefused(_("This picture is all black. Choose one that shows something."))
    raise FileRefused(_("This picture is one flat colour. Choose one that shows something."))


def _reduced(image: Image.Image) -> Image.Image:
    shorter = min(image.size)
    if shorter <= KEPT_SHORTER_SIDE:
        return image
    scale = KEPT_SHORTER_SIDE / shorter
    size = (round(image.width * scale), round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _encode(image: Image.Image, *, lossless: bool) -> tuple[bytes, str]:
    # Nothing of the original's metadata can be carried along by a save.
    clean = image.copy()
    clean.info = {}
    buffer = io.BytesIO()
    if lossless and image.width * image.height <= LOSSLESS_PIXELS:
        clean.save(buffer, format="PNG", compress_level=6)
        return buffer.getvalue(), "png"
    clean.save(buffer, format="JPEG", quality=95, subsampling=0)
    return buffer.getvalue(), "jpg"
