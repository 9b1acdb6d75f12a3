"""Files in an S3-compatible bucket, behaving as those in a directory do."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError
from django.core.files import File
from storages.backends.s3 import S3Storage


@contextmanager
def _faults_as_os_errors(name: str) -> Iterator[None]:
    """Raise what the bucket says as the OSError that a directory would raise, which callers know."""
    try:
        yield
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
            raise FileNotFoundError(f"{name} is not in the bucket") from error
        raise OSError(f"the bucket refused {name}: {error}") from error
    except BotoCoreError as error:
        raise OSError(f"the bucket did not answer for {name}: {error}") from error


class BucketStorage(S3Storage):  # type: ignore[misc]  # the library is untyped
    """A bucket. Every fault is an OSError, FileNotFoundError where there is no such key."""

    def _open(self, name: str, mode: str = "rb") -> File[bytes]:
        """Open a file; for reading, its bytes are here then, in memory or in a temporary file."""
        with _faults_as_os_errors(name):
            file: File[bytes] = super()._open(name, mode)
            if "r" in mode:
                file.open()
            return file

    def _save(self, name: str, content: File[bytes]) -> str:
        with _faults_as_os_errors(name):
            return str(super()._save(name, content))

    def delete(self, name: str) -> None:
        """Delete a file; one that is not there is no fault."""
        with _faults_as_os_errors(name):
            super().delete(name)

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        with _faults_as_os_errors(name):
            return bool(super().exists(name))

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Return the folders and the files of a folder, both empty where there is none."""
        with _faults_as_os_errors(path):
            folders, files = super().listdir(path)
            return list(folders), list(files)

    def size(self, name: str) -> int:
        """Return a file's size in bytes."""
        with _faults_as_os_errors(name):
            return int(super().size(name))

    def get_modified_time(self, name: str) -> datetime:
        """Return when a file was stored."""
        with _faults_as_os_errors(name):
            stored: datetime = super().get_modified_time(name)
            return stored
