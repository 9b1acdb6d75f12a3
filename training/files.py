"""Where pictures of datasets lie in storage, and the folder in which an experiment trains.

Every stored picture has a key of its own that is never written twice, so a late writer cannot touch
another's.
"""

import io
import logging
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from jobs.files import delete_folder

logger = logging.getLogger(__name__)

SMALL_SIDE = 160  # pixels; of the copy of a thumbnail for screens that need no more


def dataset_prefix(dataset_id: uuid.UUID) -> str:
    """The prefix of everything that belongs to a dataset."""
    return f"datasets/{dataset_id}/"


def incoming_key(dataset_id: uuid.UUID) -> str:
    """A new key for bytes that wait to be checked."""
    return f"{dataset_prefix(dataset_id)}incoming/{uuid.uuid4()}"


def store_picture(
    dataset_id: uuid.UUID, image_id: uuid.UUID, *, content: bytes, extension: str, thumbnail: bytes
) -> tuple[str, str]:
    """Store a checked picture, its thumbnail and a smaller copy of that; return the first two keys."""
    prefix = dataset_prefix(dataset_id)
    name = image_id.hex
    # Two levels: a folder with 25,000 files is slow to list on some disks.
    file = default_storage.save(f"{prefix}pictures/{name[:2]}/{name}.{extension}", ContentFile(content))
    small = default_storage.save(f"{prefix}thumbnails/{name[:2]}/{name}.webp", ContentFile(thumbnail))
    default_storage.save(small_key(small), ContentFile(_shrink(thumbnail)))
    return file, small


def small_key(thumbnail: str) -> str:
    """The key of a thumbnail's smaller copy, which is stored and removed with it."""
    stem, _dot, extension = thumbnail.rpartition(".")
    return f"{stem}-{SMALL_SIDE}.{extension}"


def with_copies(keys: Iterable[str]) -> set[str]:
    """Those keys, and of each thumbnail that of its smaller copy."""
    found = set(keys)
    return found.union(small_key(key) for key in found if "/thumbnails/" in key)


def _shrink(thumbnail: bytes) -> bytes:
    with Image.open(io.BytesIO(thumbnail)) as picture:
        picture.thumbnail((SMALL_SIDE, SMALL_SIDE), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        picture.save(buffer, format="WEBP", quality=82, method=2)
    return buffer.getvalue()


def remove_files(keys: Iterable[str]) -> None:
    """Delete stored files, thumbnails with their copies; what cannot be deleted leaves a line in the log."""
    for key in with_copies(keys):
        try:
            default_storage.delete(key)
        except OSError:
            logger.exception("stored file %s could not be removed", key)


def remove_prefix(prefix: str) -> None:
    """Delete everything stored below a prefix; on this machine with its folders, and at once."""
    folder = local_path(prefix)
    if folder is None:
        delete_folder(prefix)
    else:
        shutil.rmtree(folder, ignore_errors=True)


def local_path(key: str) -> Path | None:
    """Where a stored file lies on this machine, or None when the storage is elsewhere."""
    try:
        return Path(default_storage.path(key))
    except NotImplementedError:
        return None


def runs_root() -> Path:
    """The folder of this machine in which trainings have theirs."""
    root: Path = settings.DATA_DIR / "runs"
    return root


def run_folder(run_id: uuid.UUID) -> Path:
    """The folder of this machine in which a training's attempts work; it outlives each of them."""
    return runs_root() / str(run_id)


def prepared_folder(run_id: uuid.UUID) -> Path:
    """The pictures as training reads them, cut and resized; made anew where missing."""
    return run_folder(run_id) / "prepared"
