"""Removing stored files to which no row points.

A file is stored before the row that points to it is committed, so whoever is killed between the two leaves a
file behind. Nothing breaks by it, but it is neither shown nor deleted with anything: once a day what is older
than a day and in no use goes. Each app says which of the keys below a prefix are in use.
"""

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.files.storage import default_storage
from django.utils import timezone

from jobs.files import list_keys

logger = logging.getLogger(__name__)

# A file that was stored so long ago and has no row will not get one: no request and no step takes so long.
KEPT_FOR = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class StoredFiles:
    """What an app stores below a prefix.

    Attributes:
        name: who says so, for registering once.
        prefix: one folder of the storage, such as "jobs"; each folder in it is looked at by itself.
        in_use: returns those of the keys that some row points to.
        remove: deletes keys; one that may come into use again looks once more under its own lock.
    """

    name: str
    prefix: str
    in_use: Callable[[Collection[str]], set[str]]
    remove: Callable[[Collection[str]], None] | None = None


_stored: dict[str, StoredFiles] = {}
# What the apps above have done every hour; each is safe to do twice.
_chores: dict[str, Callable[[], object]] = {}


def register_files(stored: StoredFiles) -> None:
    """Make known what an app stores. A prefix may have several users; a key that any of them uses stays."""
    _stored[stored.name] = stored


def sweep_files(*, older_than: timedelta = KEPT_FOR, now: datetime | None = None) -> list[str]:
    """Delete the stored files that are older than this and in no use. Return their keys.

    A file that cannot be deleted leaves a line in the log; the next sweep tries again.
    """
    before = (now or timezone.now()) - older_than
    removed: list[str] = []
    for prefix in sorted({stored.prefix for stored in _stored.values()}):
        users = [stored for stored in _stored.values() if stored.prefix == prefix]
        for keys in _folders(prefix):
            removed += _sweep_folder(keys, users, before)
    return removed


def _folders(prefix: str) -> Iterator[list[str]]:
    """Yield the keys of each folder below a prefix."""
    try:
        folders, _files = default_storage.listdir(prefix)
    except FileNotFoundError:
        return
    for folder in folders:
        yield list_keys(f"{prefix}/{folder}")


def _sweep_folder(keys: list[str], users: list[StoredFiles], before: datetime) -> list[str]:
    unused = set(keys).difference(*(user.in_use(keys) for user in users))
    old = sorted(key for key in unused if _is_older(key, before))
    if not old:
        return []
    logger.info("Removing %d stored files without a row, the first is %s", len(old), old[0])
    for user in users:
        if user.remove is not None:
            user.remove(old)
            return old
    for key in old:
        _delete(key)
    return old


def _is_older(key: str, before: datetime) -> bool:
    try:
        return default_storage.get_modified_time(key) < before
    except FileNotFoundError:
        return False  # somebody else has removed it


def _delete(key: str) -> None:
    try:
        default_storage.delete(key)
    except OSError:
        logger.exception("stored file %s could not be removed", key)


def register_chore(name: str, chore: Callable[[], object]) -> None:
    """Have something done every hour; registering the same name again replaces it."""
    _chores[name] = chore


def do_chores() -> None:
    """Do what is due every hour. One that fails leaves a line in the log and is tried again in an hour."""
    for name, chore in _chores.items():
        try:
            chore()
        except Exception:
            logger.exception("%s could not be done", name)
