"""Where pictures of datasets lie in storage, and the folder in which an experiment trains.

Every stored picture has a key of its own that is never written twice, so a late writer cannot touch
another's.
"""

import logging
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from jobs.files import delete_folder

logger = logging.getLogger(__name__)


def dataset_prefix(dataset_id: uuid.UUID) -> str:
    """The prefix of everything that belongs to a dataset."""
    return f"datasets/{dataset_id}/"


def incoming_key(dataset_id: uuid.UUID) -> str:
    """A new key for bytes that wait to be checked."""
    return f"{dataset_prefix(dataset_id)}incoming/{uuid.uuid4()}"


def store_picture(
    dataset_id: uuid.UUID, image_id: uuid.UUID, *, content: bytes, extension: str, thumbnail: bytes
) -> tuple[str, str]:
    """Store a checked picture and its thumbnail; return their keys."""
    prefix = dataset_prefix(dataset_id)
    name = image_id.hex
    # Two levels: a folder with 25,000 files is slow to list on some disks.
    file = default_storage.save(f"{prefix}pictures/{name[:2]}/{name}.{extension}", ContentFile(content))
    small = default_storage.save(f"{prefix}thumbnails/{name[:2]}/{name}.webp", ContentFile(thumbnail))
    return file, small


def remove_files(keys: Iterable[str]) -> None:
    """Delete stored files; one that cannot be deleted leaves a line in the log and nothing else."""
    for key in keys:
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
    """The folder of this machine in which experiments have theirs."""
    root: Path = settings.DATA_DIR / "runs"
    return root


def run_folder(experiment_id: uuid.UUID) -> Path:
    """The folder of this machine in which an experiment's attempts work; it outlives each of them."""
    return runs_root() / str(experiment_id)


def prepared_folder(experiment_id: uuid.UUID) -> Path:
    """The pictures as training reads them, cut and resized; made anew where missing."""
    return run_folder(experiment_id) / "prepared"
