"""Serving private files and contents, after the caller has checked that the user may see them."""

import hashlib
import posixpath
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core.files.storage import default_storage
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header

from accounts.ranges import answer_with_part

_A_YEAR = 31_536_000
_SIGNED_SECONDS = 300


def serve_file(
    request: HttpRequest,
    key: str,
    *,
    content_type: str,
    filename: str | None = None,
    download: bool | None = None,
    immutable: bool = False,
) -> HttpResponseBase:
    """Return the stored file `key` as a response that is harmless when opened directly.

    Files in a bucket that browsers reach are not sent: the answer leads to an address there that is signed,
    says what the file is to be taken for and is good for minutes.

    Args:
        request: the request; the caller has made sure that its user may see the file.
        key: the file's name in the default storage; "" for one that a row does not have (yet).
        content_type: the type the browser must take it for.
        filename: the name under which it is saved; the key's last part when not given.
        download: save it instead of showing it; when not given, as the address asks with `?download`.
        immutable: the address never shows other bytes (it names a version or an id that is never reused),
            so the browser may keep them; otherwise nothing is kept.

    Raises:
        Http404: there is no such file.
    """
    if not key:
        raise Http404
    name = filename or posixpath.basename(key)
    is_download = "download" in request.GET if download is None else download
    if settings.FILES_DIRECT:
        disposition = _disposition(name, is_download)
        return _by_bucket(key, content_type=content_type, disposition=disposition, immutable=immutable)
    etag = f'"{hashlib.sha256(key.encode()).hexdigest()[:32]}"' if immutable else None
    unchanged = get_conditional_response(request, etag=etag) if etag else None
    if unchanged:
        return unchanged
    response = _by_proxy(key) if settings.ACCEL_PREFIX else _by_django(request, key, etag)
    if etag:
        response["ETag"] = etag
    response["Content-Type"] = content_type
    _make_harmless(response, _disposition(name, is_download), immutable=immutable)
    return response


def serve_content(
    content: bytes | str | Iterable[bytes],
    *,
    content_type: str,
    filename: str,
    download: bool = True,
    immutable: bool = False,
) -> HttpResponseBase:
    """Return private content that is made for this request, as harmless as a stored file.

    Pieces are sent as they come, so that a large content is never in memory as a whole. The other arguments
    are those of `serve_file`.
    """
    response: HttpResponseBase
    if isinstance(content, bytes | str):
        response = HttpResponse(content, content_type=content_type)
    else:
        response = StreamingHttpResponse(content, content_type=content_type)
    _make_harmless(response, _disposition(filename, download), immutable=immutable)
    return response


def _make_harmless(response: HttpResponseBase, disposition: str, *, immutable: bool) -> None:
    response["Content-Disposition"] = disposition
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox"
    response["Cache-Control"] = _caching(immutable)


def _disposition(filename: str, is_download: bool) -> str:
    return content_disposition_header(is_download, filename) or "inline"


def _caching(immutable: bool) -> str:
    return f"private, max-age={_A_YEAR}, immutable" if immutable else "private, no-store"


def _by_bucket(key: str, *, content_type: str, disposition: str, immutable: bool) -> HttpResponse:
    if not default_storage.exists(key):
        raise Http404
    parameters = {
        "ResponseContentType": content_type,
        "ResponseContentDisposition": disposition,
        "ResponseCacheControl": _caching(immutable),
    }
    storage: Any = default_storage
    response = HttpResponseRedirect(storage.url(key, parameters=parameters, expire=_SIGNED_SECONDS))
    # Kept for less long than the address is good for.
    response["Cache-Control"] = (
        f"private, max-age={_SIGNED_SECONDS // 2}" if immutable else "private, no-store"
    )
    return response


def _by_proxy(key: str) -> HttpResponse:
    if not default_storage.exists(key):
        raise Http404
    response = HttpResponse()
    response["X-Accel-Redirect"] = f"{settings.ACCEL_PREFIX.rstrip('/')}/{quote(key)}"
    return response


def _by_django(request: HttpRequest, key: str, etag: str | None) -> HttpResponseBase:
    try:
        file = default_storage.open(key)
    except FileNotFoundError as error:
        raise Http404 from error
    return answer_with_part(request, file, file.size, etag=etag)
