"""Receiving files: they go to disk while they arrive, and too much is refused before it has all come."""

from typing import Any

from django.core.files import File
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest


class UploadTooLarge(Exception):
    """The request carries more bytes than one upload may."""


class CappedUploadHandler(TemporaryFileUploadHandler):
    """Writes every file to disk, whatever its size, and counts the bytes of the request as they come.

    Bytes are counted after decoding, so neither a missing Content-Length nor base64 parts get around it.
    """

    def __init__(self, request: HttpRequest, *, max_bytes: int) -> None:
        super().__init__(request)
        self._room = max_bytes
        self._unfinished: UploadedFile[bytes] | None = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Begin a file."""
        super().new_file(*args, **kwargs)
        self._unfinished = self.file

    def file_complete(self, file_size: int) -> UploadedFile[bytes] | None:
        """Hand the file over."""
        self._unfinished = None
        return super().file_complete(file_size)

    def discard_unfinished(self) -> None:
        """Remove a file whose end never came, because the connection was cut; Django only forgets it."""
        if self._unfinished is not None:
            self._unfinished.close()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        """Count and write a piece. Raises UploadTooLarge."""
        self._room -= len(raw_data)
        if self._room < 0:
            self.file.close()
            raise UploadTooLarge
        super().receive_data_chunk(raw_data, start)
        return None


def receive_files(request: HttpRequest, *, max_bytes: int) -> list[File[bytes]]:
    """Read the request's `files`. Raises UploadTooLarge and Django's TooManyFilesSent.

    Call it before anything has read `request.POST`.
    """
    if int(request.META.get("CONTENT_LENGTH") or 0) > max_bytes:
        raise UploadTooLarge
    handler = CappedUploadHandler(request, max_bytes=max_bytes)
    request.upload_handlers = [handler]
    files: list[File[bytes]] = list(request.FILES.getlist("files"))
    handler.discard_unfinished()
    return files
