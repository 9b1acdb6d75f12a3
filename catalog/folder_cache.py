"""Folders that can be made again, on this machine's disk, up to a number of bytes; what is least used leaves.

A folder appears and leaves by a rename, so under its name it is whole or not there. Whoever uses it holds a
shared lock on the folder itself until the jobs of its process have ended (`jobs.holds`); whoever removes it
takes that lock alone, and leaves the folder where somebody has it. Making is done by one process at a time,
under a lock file beside it. The kernel frees what a killed process held, and what it left half made or half
removed ends in `.part` and goes with the next look for room.

Nobody waits in a circle: who makes a folder may wait for the look for room, and that waits for nobody.
"""

import contextlib
import fcntl
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from engines.files import atomic_folder
from jobs import holds

logger = logging.getLogger(__name__)

# The disk is left so much, whatever the limit: pictures and snapshots have to be written too.
_SPARE_BYTES = 1 << 30


class FolderCache:
    """Folders by name below `root`, which together take `limit_bytes`, or what is in use if that is more."""

    def __init__(self, root: Path, limit_bytes: int) -> None:
        self._root = root
        self._limit_bytes = limit_bytes

    def get(self, name: str, *, size_bytes: int, fill: Callable[[Path], None]) -> Path:
        """Return the folder, which stays until the jobs of this process have ended. Do not write into it.

        Where it is not there, others make room for its `size_bytes` and `fill` writes it. What `fill` raises
        comes through, and nothing is left of the folder.
        """
        folder = self._root / name
        while not _hold(folder):
            with _locked(self._lock_file(name)):
                if not folder.is_dir():
                    self._remove_parts(name)
                    self.make_room(size_bytes)
                    with atomic_folder(folder) as draft:
                        fill(draft)
                        _hold(draft)  # before it has its name: nobody can remove it in between
        return folder

    def names(self) -> list[str]:
        """Return the names of the folders that are there."""
        return [folder.name for folder in self._folders() if not folder.name.startswith(".")]

    def used_bytes(self) -> int:
        """Return what everything here takes on disk, half made folders included."""
        return sum(_size_of(folder) for folder in self._folders())

    def remove(self, name: str) -> bool:
        """Remove a folder. False, and it stays: somebody uses it."""
        folder = self._root / name
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(folder, descriptor):
                gone = folder.with_name(f".{name}.{secrets.token_hex(4)}.part")
                folder.rename(gone)
                shutil.rmtree(gone, ignore_errors=True)
        except BlockingIOError:
            return False
        except OSError:  # no reason to fail for whoever needs the room
            logger.exception("%s could not be removed", folder)
            return False
        finally:
            os.close(descriptor)
        return True

    def make_room(self, size_bytes: int = 0) -> None:
        """Remove what killed processes left, then folders until there is room for so many bytes more.

        The least recently used leave first. What is in use stays, even beyond the limit.
        """
        with _locked(self._root / ".room.lock"):
            self._sweep()
            sizes = {folder.name: _size_of(folder) for folder in self._folders()}
            free = shutil.disk_usage(self._root).free
            excess = size_bytes + max(sum(sizes.values()) - self._limit_bytes, _SPARE_BYTES - free)
            for name in sorted(self.names(), key=self._used_at):
                if excess <= 0:
                    return
                if self.remove(name):
                    excess -= sizes.get(name, 0)

    def _sweep(self) -> None:
        """Remove half made and half removed folders that nobody is at."""
        for part in self._root.glob(".*.part"):
            name = _name_of(part)
            with contextlib.suppress(BlockingIOError), _locked(self._lock_file(name), wait=False):
                self._remove_parts(name)

    def _remove_parts(self, name: str) -> None:
        for part in self._root.glob(f".{name}.*.part"):
            shutil.rmtree(part, ignore_errors=True)

    def _folders(self) -> list[Path]:
        return [path for path in self._root.glob("*") if path.is_dir()]

    def _lock_file(self, name: str) -> Path:
        return self._root / f".{name}.lock"

    def _used_at(self, name: str) -> float:
        with contextlib.suppress(FileNotFoundError):
            return (self._root / name).stat().st_mtime
        return 0.0


def _hold(folder: Path) -> bool:
    """Keep a folder until the jobs of this process have ended, and note its use. False: it is not there."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return False
    fcntl.flock(descriptor, fcntl.LOCK_SH)  # waits for whoever removes it just now
    if not _is_at(folder, descriptor):
        os.close(descriptor)
        return False
    with contextlib.suppress(PermissionError):  # somebody else's, such as the administrator's
        os.utime(descriptor)
    holds.keep_open(descriptor)
    return True


def _is_at(folder: Path, descriptor: int) -> bool:
    """Whether the folder that was opened still has its name."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(folder.stat(), os.fstat(descriptor))
    return False


def _name_of(part: Path) -> str:
    """The folder whose draft, or rest, this is: `.name.random.part`."""
    return part.name[1:].split(".", 1)[0]


def _size_of(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # its folder is being removed
            total += path.lstat().st_size
    return total


@contextmanager
def _locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a file lock among the processes of this machine. Raises BlockingIOError unless one may `wait`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
