"""What of a model is taken home: bundles."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from accounts.zips import zip_response
from catalog.bundles import bundle_of
from catalog.models import CatalogModel, ModelVersion


@require_safe
def download_bundle(request: HttpRequest, handle: str, name: str, number: int) -> HttpResponseBase:
    """Send one version of a model with its licence and attribution, to be run at home."""
    visible = CatalogModel.objects.visible_to(request.user).filter(owner__handle=handle, name=name)
    versions = ModelVersion.objects.select_related("model__owner", "licence", "source")
    bundle = bundle_of(get_object_or_404(versions, model__in=visible, number=number))
    unchanged = get_conditional_response(request, etag=bundle.etag)
    if unchanged is not None:
        return unchanged
    response = zip_response(bundle.entries(), bundle.filename, is_large=True)
    response["ETag"] = bundle.etag
    response["Cache-Control"] = "private, no-cache"
    return response
