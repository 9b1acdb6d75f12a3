"""Serving a private file, after the caller has checked that the user may see it."""

import hashlib
import posixpath
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core.files.storage import default_storage
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
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
    download: bool = False,
    immutable: bool = False,
) -> HttpResponseBase:
    """Return the stored file `key` as a response that is harmless when opened directly.

    Files in a bucket that browsers reach are not sent: the answer leads to an address there that is signed,
    says what the file is to be taken for and is good for minutes.

    Args:
        request: the request; the caller has made sure that its user may see the file.
        key: the file's name in the default storage.
        content_type: the type the browser must take it for.
        filename: the name under which it is saved; the key's last part when not given.
        download: save it instead of showing it.
        immutable: the address never shows other bytes (it names a version or an id that is never reused),
            so the browser may keep them; otherwise nothing is kept.

    Raises:
        Http404: there is no such file.
    """
    name = filename or posixpath.basename(key)
    if settings.FILES_DIRECT:
        disposition = content_disposition_header(download, name) or "inline"
        return _by_bucket(key, content_type=content_type, disposition=disposition, immutable=immutable)
    etag = f'"{hashlib.sha256(key.encode()).hexdigest()[:32]}"' if immutable else None
    unchanged = get_conditional_response(request, etag=etag) if etag else None
    if unchanged:
        return unchanged
    response = _by_proxy(key) if settings.ACCEL_PREFIX else _by_django(request, key, etag)
    if etag:
        response["ETag"] = etag
    response["Content-Type"] = content_type
    response["Content-Disposition"] = content_disposition_header(download, name) or "inline"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox"
    response["Cache-Control"] = f"private, max-age={_A_YEAR}, immutable" if immutable else "private, no-store"
    return response


def _by_bucket(key: str, *, content_type: str, disposition: str, immutable: bool) -> HttpResponse:
    if not default_storage.exists(key):
        raise Http404
    caching = f"private, max-age={_A_YEAR}, immutable" if immutable else "private, no-store"
    parameters = {
        "ResponseContentType": content_type,
        "ResponseContentDisposition": disposition,
        "ResponseCacheControl": caching,
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
