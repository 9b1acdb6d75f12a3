"""Pictures that others start from: read, cut to size and stored without anything that came with them."""

import io
import uuid
from dataclasses import replace
from typing import IO

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from PIL import Image, ImageOps

from catalog.pictures import PictureLimits, PictureRefused, ReadPicture, read_picture, too_many_bytes
from engines.provenance import Provenance
from generation.exceptions import StartRefusedError

# Less than what is trained on has: small pictures are made larger.
MIN_SIDE = 16
PREFIX = "starts"
# What is brighter than this, of 255, counts as marked.
_MARKED_ABOVE = 8


def open_start(file: IO[bytes]) -> Image.Image:
    """Return a picture upright and in RGB, read as training reads it; it may be smaller.

    Raises StartRefusedError with the plain reason.
    """
    return _read(file).image


def record_of(file: IO[bytes]) -> Provenance:
    """Return what a picture's file says of its making, an empty record where it says nothing.

    Raises StartRefusedError with the plain reason.
    """
    return _read(file).record or Provenance()


def _read(file: IO[bytes]) -> ReadPicture:
    limits = replace(PictureLimits.current(), min_side=MIN_SIDE)
    file.seek(0)  # its pixels are read, and then what it says of itself
    try:
        if isinstance(file, UploadedFile) and (file.size or 0) > limits.max_picture_bytes:
            raise too_many_bytes(limits)
        return read_picture(file, limits)
    except PictureRefused as refusal:
        raise StartRefusedError(str(refusal)) from refusal


def read_start(file: IO[bytes], width: int, height: int) -> bytes:
    """Return a picture as a PNG of this size; what does not fit the ratio is cut off evenly.

    Raises StartRefusedError with the plain reason.
    """
    return to_png(ImageOps.fit(open_start(file), (width, height), Image.Resampling.LANCZOS))


def read_mask(file: IO[bytes], width: int, height: int) -> bytes:
    """Return a mask as a PNG in greys of this size, cut as `read_start` cuts its picture.

    Raises StartRefusedError with the plain reason, also where nothing is marked.
    """
    mask = ImageOps.fit(open_start(file).convert("L"), (width, height), Image.Resampling.BILINEAR)
    if np.asarray(mask).max() <= _MARKED_ABOVE:
        raise StartRefusedError(
            _("Nothing is marked. Paint white over what is to be made anew, or leave the mask out.")
        )
    return to_png(mask)


def store_start(content: bytes, name: str) -> str:
    """Store a checked picture or mask in a folder of its own. Return its key."""
    return default_storage.save(f"{PREFIX}/{uuid.uuid4()}/{name}.png", ContentFile(content))


def to_png(image: Image.Image) -> bytes:
    """Return a picture as a PNG without metadata."""
    clean = image.copy()
    clean.info = {}  # nothing of the original's metadata can be carried along
    buffer = io.BytesIO()
    clean.save(buffer, format="PNG")
    return buffer.getvalue()
