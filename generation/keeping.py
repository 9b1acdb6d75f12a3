"""Storing the file of a picture that was made, with its provenance, under a key of the attempt."""

import hashlib
import io

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from catalog.signing import write_signed
from engines.images import UInt8Array
from engines.provenance import Provenance
from generation.models import Generation, Picture
from generation.provenance import to_json
from jobs.context import JobContext
from jobs.files import attempt_prefix


def store_picture(
    context: JobContext, order: Generation, record: Provenance, *, index: int, seed: int, pixels: UInt8Array
) -> Picture:
    """Write the PNG of a picture uint8 `[H, W, 3]` and return its row, which is not inserted yet.

    What an attempt leaves that is never inserted is swept.
    """
    height, width = pixels.shape[:2]
    encoded = io.BytesIO()
    write_signed(Image.fromarray(pixels), encoded, record)
    key = f"{attempt_prefix(context.job)}{index:03d}.png"
    return Picture(
        owner=order.owner,
        generation=order,
        index=index,
        seed=seed,
        file=default_storage.save(key, ContentFile(encoded.getvalue())),
        width=width,
        height=height,
        sha256=hashlib.sha256(encoded.getvalue()).hexdigest(),
        provenance=to_json(record),
    )
