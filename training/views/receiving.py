"""Receiving files: they go to disk while they arrive, and too much is refused before it has all come."""

from django.core.files import File
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
    request.upload_handlers = [CappedUploadHandler(request, max_bytes=max_bytes)]
    return list(request.FILES.getlist("files"))
