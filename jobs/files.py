"""Where an attempt keeps its files. Keys carry the attempt: a late writer never touches the winner's."""

from pathlib import Path

from django.core.files import File
from django.core.files.storage import default_storage

from jobs.models import Job


def attempt_prefix(job: Job, attempt: int | None = None) -> str:
    """Return the prefix of an attempt's storage keys, by default of the attempt that `job` is in."""
    return f"jobs/{job.pk}/{job.attempt if attempt is None else attempt}/"


def store_file(path: Path, key: str) -> str:
    """Store a local file under a key, in place of what was there. Return the key."""
    if default_storage.exists(key):
        default_storage.delete(key)
    with path.open("rb") as stream:
        stored = default_storage.save(key, File(stream))
    if stored != key:
        default_storage.delete(stored)
        raise FileExistsError(f"Two writers for {key}")
    return key


def store_folder(folder: Path, prefix: str) -> list[str]:
    """Store every file below a local folder under `prefix`. Return the keys, in the order of the paths."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [store_file(path, _join(prefix, path.relative_to(folder).as_posix())) for path in paths]


def fetch_folder(prefix: str, folder: Path) -> list[Path]:
    """Copy every stored file below `prefix` into a local folder, which is made. Return the local paths."""
    folder.mkdir(parents=True, exist_ok=True)
    fetched = []
    for key in list_keys(prefix):
        target = folder / key.removeprefix(prefix.rstrip("/") + "/")
        target.parent.mkdir(parents=True, exist_ok=True)
        with default_storage.open(key) as stored, target.open("wb") as stream:
            for chunk in stored.chunks():
                stream.write(chunk)
        fetched.append(target)
    return fetched


def list_keys(prefix: str) -> list[str]:
    """Return the keys of all stored files below a prefix, sorted."""
    prefix = prefix.rstrip("/")
    try:
        folders, files = default_storage.listdir(prefix)
    except FileNotFoundError:
        return []
    keys = [_join(prefix, name) for name in files]
    for name in folders:
        keys += list_keys(_join(prefix, name))
    return sorted(keys)


def delete_folder(prefix: str) -> None:
    """Delete every stored file below a prefix."""
    for key in list_keys(prefix):
        default_storage.delete(key)


def _join(prefix: str, name: str) -> str:
    return f"{prefix.rstrip('/')}/{name}"
