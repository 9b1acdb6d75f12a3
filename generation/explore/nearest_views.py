"""The training picture nearest to a point: for the owner of the model, and of the pictures, alone."""

from uuid import UUID

import numpy as np
from django.contrib.auth.decorators import login_required
from django.core.files.storage import default_storage
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from PIL import Image

from accounts.middleware import AccountHttpRequest
from accounts.models import User
from catalog.registry import nearest_picture
from engines.images import UInt8Array
from generation.explore.cache import storage_key
from generation.explore.opened import open_point, see_shape


@require_safe
@login_required
def show_nearest(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Show the training picture nearest to a point, as the query changes it; htmx gets that part alone."""
    assert isinstance(request.user, User)  # behind login_required
    opened = open_point(request.user, pk, request.GET.dict())
    version = opened.network.version
    if version is None or opened.network.owner_id != request.user.pk:
        raise Http404
    seen = see_shape(request, opened)
    pixels = _made(storage_key(opened.network.sha256, seen.key))
    context = {
        "opened": opened,
        "seen": seen,
        "is_made": pixels is not None,
        "nearest": nearest_picture(version, request.user, pixels) if pixels is not None else None,
    }
    template = "generation/point_nearest.html"
    return render(request, f"{template}#nearest" if request.htmx else template, context)


def _made(key: str) -> UInt8Array | None:
    """The picture of a point, uint8 `[R, R, 3]`; None before it is made."""
    try:
        with default_storage.open(key) as stored, Image.open(stored) as image:
            return np.asarray(image.convert("RGB"))
    except FileNotFoundError:
        return None
