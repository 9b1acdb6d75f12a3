"""Pictures that others start from: checked, cut to size and stored without anything that came with them."""

import io
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils.translation import gettext as _
from PIL import Image, ImageOps

from engines.images import load_rgb
from generation.exceptions import StartRefusedError

MAX_BYTES = 20 << 20
MAX_PIXELS = 25_000_000
MIN_SIDE = 16
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "AVIF")
PREFIX = "starts"
# What is brighter than this, of 255, counts as marked.
_MARKED_ABOVE = 8
# Decoders are C libraries behind thin parsers; damaged bytes surface as any of these.
_DECODER_ERRORS = (OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError)


def read_start(file: IO[bytes], width: int, height: int) -> bytes:
    """Return a picture from somebody's disk as a PNG of this size: upright, in RGB, without metadata.

    What does not fit the ratio is cut off evenly. The size in pixels is judged before anything is decoded.
    Raises StartRefusedError with the plain reason.
    """
    with _checked(file):
        image = load_rgb(file)
    return _png(ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS))


def read_mask(file: IO[bytes], width: int, height: int) -> bytes:
    """Return a mask as a PNG in greys of this size, cut as `read_start` cuts its picture.

    Raises StartRefusedError with the plain reason, also where nothing is marked.
    """
    with _checked(file):
        image = load_rgb(file).convert("L")
    mask = ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
    if np.asarray(mask).max() <= _MARKED_ABOVE:
        raise StartRefusedError(
            _("Nothing is marked. Paint white over what is to be made anew, or leave the mask out.")
        )
    return _png(mask)


def store_start(content: bytes, name: str) -> str:
    """Store a checked picture or mask in a folder of its own. Return its key."""
    return default_storage.save(f"{PREFIX}/{uuid.uuid4()}/{name}.png", ContentFile(content))


@contextmanager
def _checked(file: IO[bytes]) -> Iterator[None]:
    """Look at the file's header, then let it be decoded. Raises StartRefusedError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=FORMATS) as image:
                _judge(image)
            file.seek(0)
            yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large() from error
    except _DECODER_ERRORS as error:
        raise StartRefusedError(
            _("This picture cannot be read. Use a whole JPEG, PNG, WebP, AVIF, TIFF or BMP.")
        ) from error


def _judge(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise _too_large()
    if min(image.size) < MIN_SIDE:
        raise StartRefusedError(
            _("This picture is too small. Each side needs at least %(side)d pixels.") % {"side": MIN_SIDE}
        )


def _too_large() -> StartRefusedError:
    return StartRefusedError(
        _("This picture has more than %(limit)d megapixels. Make it smaller and add it again.")
        % {"limit": MAX_PIXELS // 1_000_000}
    )


def _png(image: Image.Image) -> bytes:
    clean = image.copy()
    clean.info = {}  # nothing of the original's metadata can be carried along
    buffer = io.BytesIO()
    clean.save(buffer, format="PNG")
    return buffer.getvalue()
