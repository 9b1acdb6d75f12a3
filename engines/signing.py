"""Signing what is written into files of pictures, so that nobody but the studio can have written it.

Ed25519 (RFC 8032) over the record and the picture's pixels, or the content of a film or an archive: the
private key never leaves the studio, and whoever has the public one can check a file without asking it. Of
pictures pixels and not bytes are signed, so that a program that only rewrites metadata breaks nothing. No
torch here.
"""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import asdict, replace
from enum import StrEnum
from json import dumps

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from PIL import Image

from engines.provenance import Provenance

_CONTEXT = b"atelier provenance, version 1\0"


class Verdict(StrEnum):
    """What a signature says of a picture and the record in its file."""

    UNCHANGED = "unchanged"  # signed by a known key, for these pixels
    CHANGED = "changed"  # signed by a known key, for other pixels
    UNKNOWN_KEY = "unknown_key"  # signed, but by nobody who is known
    FORGED = "forged"  # names a known key and does not bear its signature
    UNSIGNED = "unsigned"


class Signer:
    """Signs records with the key that follows from a secret: the same secret gives the same key."""

    def __init__(self, secret: bytes) -> None:
        seed = HKDF(algorithm=SHA256(), length=32, salt=None, info=_CONTEXT).derive(secret)
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = base64.b64encode(self._key.public_key().public_bytes_raw()).decode()

    def sign(self, record: Provenance, pixels: Image.Image) -> Provenance:
        """Return the record with the hash of the pixels it is for, the key's name and the signature."""
        return self._sign(replace(record, pixels_sha256=pixels_sha256(pixels)))

    def sign_content(self, record: Provenance, sha256: str) -> Provenance:
        """Return the record of a film or an archive whose content has this SHA-256, signed as a picture's."""
        return self._sign(replace(record, content_sha256=sha256))

    def _sign(self, record: Provenance) -> Provenance:
        named = replace(record, key=key_name(self.public_key))
        signature = self._key.sign(_signed_bytes(named))
        return replace(named, signature=base64.b64encode(signature).decode())


def judge(record: Provenance, pixels: Image.Image, public_keys: Iterable[str]) -> Verdict:
    """Compare a record with the picture in whose file it was found. `public_keys` are base64."""
    verdict = _judge_signature(record, public_keys)
    if verdict is Verdict.UNCHANGED and record.pixels_sha256 != pixels_sha256(pixels):
        return Verdict.CHANGED
    return verdict


def judge_content(record: Provenance, sha256: str, public_keys: Iterable[str]) -> Verdict:
    """Compare a record with the film or the archive in which it was found, by the SHA-256 of its content."""
    verdict = _judge_signature(record, public_keys)
    if verdict is Verdict.UNCHANGED and record.content_sha256 != sha256:
        return Verdict.CHANGED
    return verdict


def _judge_signature(record: Provenance, public_keys: Iterable[str]) -> Verdict:
    """What the signature says of the record alone."""
    if not record.signature:
        return Verdict.UNSIGNED
    known = {key_name(key): key for key in public_keys}
    if record.key not in known:
        return Verdict.UNKNOWN_KEY
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(known[record.key]))
    try:
        key.verify(base64.b64decode(record.signature, validate=True), _signed_bytes(record))
    except (InvalidSignature, ValueError):
        return Verdict.FORGED
    return Verdict.UNCHANGED


def key_name(public_key: str) -> str:
    """The short name of a public key: the beginning of its SHA-256."""
    return hashlib.sha256(base64.b64decode(public_key)).hexdigest()[:16]


def pixels_sha256(image: Image.Image) -> str:
    """SHA-256 over mode, size and pixels, as RGB or, with transparency, RGBA."""
    mode = "RGBA" if image.has_transparency_data else "RGB"
    pixels = image if image.mode == mode else image.convert(mode)
    head = f"{mode} {pixels.width} {pixels.height}\n".encode()
    return hashlib.sha256(head + pixels.tobytes()).hexdigest()


def _signed_bytes(record: Provenance) -> bytes:
    """What is signed: all that the record says but the signature, in one way of writing it.

    What is empty is left out, so that a later version with more fields still knows these signatures.
    """
    values = {name: value for name, value in asdict(record).items() if value and name != "signature"}
    return _CONTEXT + dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
