"""The studio's own key, and writing image files that bear its signature."""

import io
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
    """Encode a picture that a model made, with its record signed for the pixels that are in the file.

    Where the operator has a C2PA certificate, the file gets Content Credentials besides.
    """
    if not settings.C2PA_CERTIFICATE:
        write(image, target, record, file_format=file_format, sign=signer().sign)
        return
    encoded = io.BytesIO()
    write(image, encoded, record, file_format=file_format, sign=signer().sign)
    signed = _with_credentials(encoded.getvalue(), record, file_format)
    if isinstance(target, Path):
        target.write_bytes(signed)
    else:
        target.write(signed)


def _with_credentials(encoded: bytes, record: Provenance, file_format: ImageFormat) -> bytes:
    """Add the Content Credentials of the operator's certificate."""
    # An extra, for studios with a certificate.
    from engines.credentials import Certificate, add_credentials  # noqa: PLC0415

    chain, private_key = _read(settings.C2PA_CERTIFICATE), _read(settings.C2PA_PRIVATE_KEY)
    certificate = Certificate(
        chain=chain,
        private_key=private_key,
        algorithm=settings.C2PA_ALGORITHM,
        timestamp_url=settings.C2PA_TIMESTAMP_URL,
    )
    return add_credentials(encoded, record, certificate, file_format=file_format)


@lru_cache(maxsize=4)
def _read(path: str) -> str:
    return Path(path).read_text(encoding="ascii")
