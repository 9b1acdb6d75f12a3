"""The studio's own key, and writing image files that bear its signature."""

from functools import lru_cache
from pathlib import Path
from typing import IO

from django.conf import settings
from PIL import Image

from engines.provenance import ImageFormat, Provenance, write
from engines.signing import Signer


def signer() -> Signer:
    """Return what signs for this studio: its key follows from the setting PROVENANCE_SECRET."""
    return _signer(settings.PROVENANCE_SECRET)


@lru_cache(maxsize=2)
def _signer(secret: str) -> Signer:
    return Signer(secret.encode())


def known_keys() -> list[str]:
    """Return the public keys of this studio: the one in use, and those of secrets that it had before."""
    return [signer().public_key, *settings.PROVENANCE_OLD_KEYS]


def write_signed(
    image: Image.Image,
    target: Path | IO[bytes],
    record: Provenance,
    *,
    file_format: ImageFormat = "png",
) -> None:
    """Encode a picture that a model made, with its record signed for the pixels that are in the file."""
    write(image, target, record, file_format=file_format, sign=signer().sign)
