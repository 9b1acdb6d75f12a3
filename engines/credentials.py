"""Content Credentials (C2PA) in image files, with an operator's own certificate.

The manifest says that a trained model made the picture (or changed a given one), by which model, in which run
and under which licence. Specification: https://spec.c2pa.org/specifications/specifications/2.1/. Needs the
package `c2pa-python`, which only studios with a certificate install.
"""

import io
import json
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import c2pa

from engines.provenance import SOFTWARE, SOURCE_TYPES, TRAINED, ImageFormat, Provenance

MIME_TYPES = MappingProxyType({"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"})
# Our own assertion: the record without words of the person who made the picture.
ASSERTION = "org.atelier.provenance"
_TOLD = ("model", "model_sha256", "version_sha256", "run", "studio", "licence", "licence_url", "credit")


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What signs: the chain and the private key as PEM, the algorithm ("es256", "ps256", "ed25519"...).

    `timestamp_url`: a time-stamping authority that is asked for each picture; "" for none.
    """

    chain: str
    private_key: str
    algorithm: str = "es256"
    timestamp_url: str = ""


def add_credentials(
    encoded: bytes, record: Provenance, certificate: Certificate, *, file_format: ImageFormat
) -> bytes:
    """Return the image file with a signed manifest in it. Raises c2pa.C2paError for an unfit certificate."""
    told = {name: getattr(record, name) for name in _TOLD if getattr(record, name)}
    manifest = {
        "claim_generator_info": [{"name": SOFTWARE}],
        "title": record.model or SOFTWARE,
        "format": MIME_TYPES[file_format],
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [_action(record)]}},
            {"label": ASSERTION, "data": told},
        ],
    }
    # A C string of the library: no time-stamping authority is none, not an empty address.
    timestamps = certificate.timestamp_url.encode() or None
    info = c2pa.C2paSignerInfo(
        certificate.algorithm.encode(),
        certificate.chain.encode(),
        certificate.private_key.encode(),
        timestamps,
    )
    signed = io.BytesIO()
    with c2pa.Signer.from_info(info) as signer, c2pa.Builder(json.dumps(manifest)) as builder:
        builder.sign(signer, MIME_TYPES[file_format], io.BytesIO(encoded), signed)
    return signed.getvalue()


def _action(record: Provenance) -> dict[str, Any]:
    # An edit would have to bring the picture that was given; that stays with whoever gave it.
    return {
        "action": "c2pa.created",
        "digitalSourceType": f"{SOURCE_TYPES}{record.source_type or TRAINED}",
        "softwareAgent": {"name": SOFTWARE},
    }


def read_credentials(encoded: bytes, *, file_format: ImageFormat) -> dict[str, Any] | None:
    """Return the active manifest of an image file and how its signature was judged, None without one.

    The dictionary is the library's own, with `validation_state` ("Valid", "Trusted", "Invalid") beside it.
    """
    try:
        with c2pa.Reader(MIME_TYPES[file_format], io.BytesIO(encoded)) as reader:
            store = json.loads(reader.json())
    except c2pa.C2paError.ManifestNotFound:
        return None
    manifest: dict[str, Any] = store["manifests"][store["active_manifest"]]
    return {**manifest, "validation_state": store.get("validation_state", "")}
