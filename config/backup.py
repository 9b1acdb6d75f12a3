"""Everything of a studio in one tar, and back: the database, the files and the kept secrets.

Inside: `manifest.json` (what it is, and the dump's SHA-256), `database.dump` (pg_dump's own format), `kept/`
(secret key, demo password) and `files/` (the private files, where they lie in a directory). The dump is made
first: files never change once they are there, so every file that the dump names is found afterwards.
"""

import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import redis
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.backends.postgresql.client import DatabaseClient

from config import embedded, first_run
from engines.files import sha256_file

_FORMAT = 1
_MANIFEST = "manifest.json"
_DUMP = "database.dump"
_KEPT = ("secret-key", "demo-password", first_run.MARKER)


class BackupError(Exception):
    """A backup could not be written or put back; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a backup says of itself. `files` is False when they lie in a bucket, which has its own backups."""

    format: int
    made_at: str
    database_sha256: str
    files: bool


def default_target(data_dir: Path, prefix: str = "atelier") -> Path:
    """Return where a backup goes when nobody said: `backups` in the data directory, named by the time."""
    return data_dir / "backups" / f"{prefix}-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}.tar"


def write_backup(target: Path) -> None:
    """Write a backup; `target` appears whole or not at all. Raises BackupError."""
    if target.exists():
        raise BackupError(f"{target} is there already. Choose another name.")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".backup-") as scratch:
        dump, draft = Path(scratch) / _DUMP, Path(scratch) / "backup.tar"
        _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", "--file", str(dump))
        manifest = Manifest(
            format=_FORMAT,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            database_sha256=sha256_file(dump),
            files=not settings.FILES_BUCKET,
        )
        with tarfile.open(draft, "w") as tar:
            _add_text(tar, _MANIFEST, json.dumps(asdict(manifest), indent=2))
            tar.add(dump, _DUMP)
            for name in _KEPT:
                if (settings.DATA_DIR / name).exists():
                    tar.add(settings.DATA_DIR / name, f"kept/{name}")
            if manifest.files and _files_dir().exists():
                tar.add(_files_dir(), "files")
        draft.chmod(0o600)
        draft.rename(target)


def restore_backup(source: Path) -> None:
    """Put a backup in the place of what is there, then bring its database up to date.

    The database is replaced in one transaction and the files after it, so that a failure leaves the old
    state. Nobody else may use the studio meanwhile. Raises BackupError.
    """
    settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.DATA_DIR, prefix=".restore-") as scratch:
        folder = Path(scratch)
        manifest = _unpack(source, folder)
        _replace_database(folder)
        if manifest.files and not settings.FILES_BUCKET:
            _replace_files(folder / "files")
        for kept in (folder / "kept").glob("*"):
            if kept.name in _KEPT:
                kept.replace(settings.DATA_DIR / kept.name)
    if not os.environ.get("REDIS_URL"):
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            client.flushall()  # progress and tokens of jobs that are no more; the rows say what is to be done
    call_command("migrate", interactive=False, verbosity=0)


@contextmanager
def studio_stopped(data_dir: Path) -> Iterator[None]:
    """Hold the data directory so that no studio starts in it. Raises BackupError when one runs."""
    embedded.prepare_directories(data_dir)
    try:
        with embedded.exclusive(data_dir, "studio"):
            yield
    except BlockingIOError as error:
        raise BackupError("The studio is running. Stop it first, then restore.") from error


def _unpack(source: Path, folder: Path) -> Manifest:
    try:
        with tarfile.open(source) as tar:
            tar.extractall(folder, filter="data")
        manifest = Manifest(**json.loads((folder / _MANIFEST).read_text()))
    except (OSError, tarfile.TarError, ValueError, TypeError) as error:
        raise BackupError(f"{source} is not a backup of Atelier, or is damaged: {error}") from error
    if manifest.format != _FORMAT:
        raise BackupError(f"{source} was made by a newer Atelier. Install that one, then restore.")
    if sha256_file(folder / _DUMP) != manifest.database_sha256:
        raise BackupError(
            f"{source} is damaged: its database is not the one that was saved. Nothing was changed."
        )
    return manifest


def _replace_database(folder: Path) -> None:
    script = folder / "database.sql"
    _program("pg_restore", "--no-owner", "--no-privileges", "--file", str(script), str(folder / _DUMP))
    connection.close()
    empty = "DROP SCHEMA public CASCADE; CREATE SCHEMA public;"
    arguments = ["--no-psqlrc", "--quiet", "--single-transaction", "--set", "ON_ERROR_STOP=1"]
    _run("psql", *arguments, "--output", os.devnull, "--command", empty, "--file", str(script))


def _replace_files(new: Path) -> None:
    old = _files_dir()
    aside = old.with_name("files.replaced")
    shutil.rmtree(aside, ignore_errors=True)
    if old.exists():
        old.rename(aside)
    if new.exists():
        new.rename(old)
    shutil.rmtree(aside, ignore_errors=True)


def _files_dir() -> Path:
    return Path(settings.STORAGES["default"]["OPTIONS"]["location"])


def _add_text(tar: tarfile.TarFile, name: str, text: str) -> None:
    content = text.encode()
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o600
    tar.addfile(member, io.BytesIO(content))


def _run(program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs on our database; a password travels in its environment."""
    command, environment = DatabaseClient.settings_to_cmd_args_env(connection.settings_dict, list(arguments))
    _program(program, *command[1:], environment=environment)


def _program(program: str, *arguments: str, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(  # noqa: S603
        [embedded.postgres_program(program), *arguments],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BackupError(f"{program} failed: {done.stderr.strip()}")
