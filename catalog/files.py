"""The files of models: stored once under their own SHA-256, and laid out as a folder where engines need it.

Storage keys are `weights/<first two digits>/<sha256>`. Publishing holds `files_lock(shared)` from storing a
file until its rows are committed, and removing takes it alone, so a file that is about to be referred to is
never removed.
"""

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import DatabaseError, connection, transaction
from django.utils.translation import gettext_lazy as _

from catalog.exceptions import BrokenModelError
from catalog.folder_cache import FolderCache
from catalog.models import ModelFile, ModelVersion
from engines.files import sha256_file
from jobs.processes import parent_database

logger = logging.getLogger(__name__)

# Names the PostgreSQL advisory lock over all stored weights ("weights" in ASCII, cut to what fits).
_LOCK_NUMBER = 0x77656967687473
_TIDIED_EVERY_SECONDS = 3600.0


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A file as it lies in storage."""

    path: str
    sha256: str
    size_bytes: int


def weight_key(sha256: str) -> str:
    """Return the storage key of the file with this content."""
    return f"weights/{sha256[:2]}/{sha256}"


def files_lock(*, shared: bool) -> None:
    """Hold the lock over stored weights until the current transaction ends; waits for who holds it.

    That transaction may take its time: storing large files between two statements is no reason to end it.
    """
    function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor.execute(f"SELECT {function}(%s)", [_LOCK_NUMBER])


def store_folder(folder: Path) -> list[StoredFile]:
    """Store every file of `folder` that is not stored yet; Needs a shared `files_lock`."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [_store(path, path.relative_to(folder).as_posix()) for path in paths]


def _store(path: Path, name: str) -> StoredFile:
    stored = StoredFile(path=name, sha256=sha256_file(path), size_bytes=path.stat().st_size)
    key = weight_key(stored.sha256)
    if not default_storage.exists(key):
        _put(path, key)
    return stored


def _put(path: Path, key: str) -> None:
    """Make the file appear under `key` complete or not at all, also when the process is killed meanwhile."""
    try:
        target = Path(default_storage.path(key))
    except NotImplementedError:  # object storage: an upload is atomic by itself
        with path.open("rb") as source:
            stored = default_storage.save(key, File(source))
        if stored != key:  # somebody else stored the same content meanwhile
            default_storage.delete(stored)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(prefix=".", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as sink, path.open("rb") as source:
            shutil.copyfileobj(source, sink, 1 << 20)
            sink.flush()
            os.fsync(sink.fileno())
        Path(draft).chmod(0o644)
        Path(draft).replace(target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def remove_unused(hashes: Iterable[str]) -> None:
    """Delete the stored files with these hashes that no version refers to any more.

    Call it after the rows are gone for good (`transaction.on_commit`). A storage that fails leaves a file
    behind and a line in the log; nothing else is lost.
    """
    with transaction.atomic():
        files_lock(shared=False)
        wanted = set(hashes)
        used = ModelFile.objects.filter(sha256__in=wanted).values_list("sha256", flat=True)
        for sha256 in wanted - set(used):
            try:
                default_storage.delete(weight_key(sha256))
            except OSError:
                logger.exception("stored file %s could not be removed", sha256)


def keys_in_use(keys: Collection[str]) -> set[str]:
    """Return those of the keys below `weights/` that a version refers to."""
    hashes = {key.rsplit("/", 1)[-1] for key in keys}
    used = ModelFile.objects.filter(sha256__in=hashes).values_list("sha256", flat=True)
    return {weight_key(sha256) for sha256 in used}


def remove_keys(keys: Collection[str]) -> None:
    """Delete stored files unless a version refers to them by now; drafts of killed processes go at once."""
    drafts = {key for key in keys if key != weight_key(key.rsplit("/", 1)[-1])}
    for key in drafts:
        default_storage.delete(key)
    remove_unused(key.rsplit("/", 1)[-1] for key in set(keys) - drafts)


def cache_dir() -> Path:
    """Return where folders of versions lie on this machine."""
    path: Path = settings.DATA_DIR / "cache" / "models"
    return path


def models_cache() -> FolderCache:
    """Return the folders of versions on this machine, each under its version's SHA-256."""
    return FolderCache(cache_dir(), settings.MODELS_BYTES)


def materialise(version: ModelVersion) -> Path:
    """Return a local folder with the version's files, each checked against its SHA-256. Do not write into it.

    Made where it is not there. It stays until the jobs of this process have ended; after that it may give way
    to others (MODELS_BYTES), so every job asks anew. Safe when several processes ask at once and when one is
    killed meanwhile. Raises BrokenModelError when a file is missing or altered.
    """
    fill = partial(_fetch_all, version)
    return models_cache().get(version.sha256, size_bytes=version.size_bytes, fill=fill)


def forget(version_sha256: str) -> None:
    """Remove the local folder of a version that was deleted; one that a job uses goes with `tidy_cache`."""
    models_cache().remove(version_sha256)


def tidy_cache() -> None:
    """Remove the folders of versions that were deleted, on whichever machine, then what is too much."""
    cache = models_cache()
    names = cache.names()
    kept = set(ModelVersion.objects.filter(sha256__in=names).values_list("sha256", flat=True))
    for name in set(names) - kept:
        cache.remove(name)
    cache.make_room()


class CacheTidying:
    """Idle work: the cache of a worker's machine is looked through now and then (`jobs.idle`)."""

    def __init__(self) -> None:
        self._not_before = time.monotonic()

    def go_on(self) -> None:
        """Tidy the cache, if that was long ago."""
        if time.monotonic() < self._not_before:
            return
        self._not_before = time.monotonic() + _TIDIED_EVERY_SECONDS
        try:
            with parent_database():
                tidy_cache()
        except DatabaseError:
            logger.warning("The models laid out here could not be looked through", exc_info=True)

    def make_way(self) -> None:
        """Nothing: it is over when `go_on` is."""


def _fetch_all(version: ModelVersion, folder: Path) -> None:
    for file in version.files.all():
        _fetch(file, folder / file.path)


def _fetch(file: ModelFile, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    key = weight_key(file.sha256)
    try:
        with default_storage.open(key) as source, target.open("wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
    except FileNotFoundError as error:
        message = _("%(file)s of this model is missing in storage. Ask the administrator to restore it.")
        raise BrokenModelError(message % {"file": file.path}) from error
    if sha256_file(target) != file.sha256:
        raise BrokenModelError(
            _("A file of this model was altered in storage. Ask the administrator to restore it.")
        )
