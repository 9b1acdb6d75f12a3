"""What of looks was made: files in storage, and a row for each that says when it was last used.

Keys are SHA-256 hashes of all that decides a picture, the generator's own hash first, so a picture never
changes, and nobody reaches one of a network that they may not see.
"""

import io
import json
from collections.abc import Collection, Sequence
from datetime import timedelta
from pathlib import PurePosixPath

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models import Sum
from django.utils import timezone
from PIL import Image

from catalog.generators import Network, find_network
from engines.images import UInt8Array
from engines.stylegan.points import Vector
from generation.explore.wanted import VALUES
from generation.models import LookPicture

PREFIX = "looks"
CONTENT_TYPE = "image/webp"
# Of WebP: beyond it files grow, and at this size nobody sees a difference.
_QUALITY = 88
# A use is noted so often; more would be a write for each picture that is shown.
_NOTED_EVERY = timedelta(hours=6)
_AT_ONCE = 1000


def max_bytes() -> int:
    """Return how much room the cache may take: the setting LOOKS_BYTES."""
    return int(settings.LOOKS_BYTES)


def storage_key(sha256: str, key: str) -> str:
    """Return where the picture, or values, of this key lie, made by the generator with this SHA-256."""
    ending = "json" if key.startswith(VALUES) else "webp"
    return f"{PREFIX}/{sha256[:16]}/{key[:2]}/{key}.{ending}"


def find_made(sha256: str, keys: Collection[str]) -> set[str]:
    """Return those of the keys whose pictures are there. Effect: notes their use. One query, at most two."""
    rows = dict(LookPicture.objects.filter(pk__in=keys, sha256=sha256).values_list("key", "used_at"))
    now = timezone.now()
    if stale := [key for key, used_at in rows.items() if used_at < now - _NOTED_EVERY]:
        LookPicture.objects.filter(pk__in=stale).update(used_at=now)
    return set(rows)


def store_pictures(network: Network, keys: Sequence[str], pictures: UInt8Array) -> None:
    """Store pictures, uint8 `[N, H, W, 3]`, under their keys; one that was stored meanwhile stays."""
    _store(network, [(key, _webp(pixels)) for key, pixels in zip(keys, pictures, strict=True)])


def store_values(network: Network, keys: Sequence[str], points: Sequence[Vector]) -> None:
    """Store values of w under their keys; what was stored meanwhile stays."""
    texts = [json.dumps(point.as_json()).encode() for point in points]
    _store(network, list(zip(keys, texts, strict=True)))


def read_values(sha256: str, key: str) -> Vector | None:
    """Return the values with this key; None where they are not there, or no longer."""
    try:
        with default_storage.open(storage_key(sha256, key)) as stored:
            return Vector.from_json(json.loads(stored.read()), 0)
    except FileNotFoundError:
        forget_picture(key)
        return None


def _store(network: Network, contents: Sequence[tuple[str, bytes]]) -> None:
    rows = []
    for key, content in contents:
        _put(storage_key(network.sha256, key), content)
        rows.append(
            LookPicture(
                key=key,
                sha256=network.sha256,
                network=network.key,
                size_bytes=len(content),
                used_at=timezone.now(),
            )
        )
    LookPicture.objects.bulk_create(rows, ignore_conflicts=True)


def _webp(pixels: UInt8Array) -> bytes:
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, format="WEBP", quality=_QUALITY, method=2)
    return encoded.getvalue()


def forget_picture(key: str) -> None:
    """Forget a picture, or values, whose file is gone, so that it is made again."""
    LookPicture.objects.filter(pk=key).delete()


def keys_in_use(keys: Collection[str]) -> set[str]:
    """Return those of the keys below `looks/` that have a row."""
    named = {PurePosixPath(key).stem: key for key in keys}
    found = LookPicture.objects.filter(pk__in=named).values_list("key", "sha256")
    return {storage_key(sha256, key) for key, sha256 in found}


def trim_cache() -> int:
    """Delete pictures of networks that are gone, then the least recently used beyond what the cache may take.

    Return how many went. Safe to repeat; a chore.
    """
    return _drop_orphans() + _drop_oldest()


def _drop_orphans() -> int:
    networks = LookPicture.objects.order_by().values_list("network", flat=True).distinct()
    gone = [key for key in networks if find_network(key, None) is None]
    rows = list(LookPicture.objects.filter(network__in=gone).values_list("key", "sha256"))
    _drop(rows)
    return len(rows)


def _drop_oldest() -> int:
    total = LookPicture.objects.aggregate(total=Sum("size_bytes", default=0))["total"]
    dropped = 0
    while total > max_bytes():
        oldest = LookPicture.objects.order_by("used_at").values_list("key", "sha256", "size_bytes")
        rows = []
        for key, sha256, size in oldest[:_AT_ONCE]:
            rows.append((key, sha256))
            total -= size
            if total <= max_bytes():
                break
        _drop(rows)
        dropped += len(rows)
    return dropped


def _drop(rows: Sequence[tuple[str, str]]) -> None:
    """Delete rows, then their files: a file without a row is swept, a row without a file is not."""
    LookPicture.objects.filter(pk__in=[key for key, _sha256 in rows]).delete()
    for key, sha256 in rows:
        default_storage.delete(storage_key(sha256, key))


def _put(key: str, content: bytes) -> None:
    if not default_storage.exists(key):
        stored = default_storage.save(key, ContentFile(content))
        if stored != key:  # somebody else stored the same picture meanwhile
            default_storage.delete(stored)
