"""What of a model is taken home: bundles, and generators as ONNX."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.files import serve_file
from accounts.models import User
from accounts.zips import zip_response
from catalog.bundles import bundle_of
from catalog.models import CatalogModel, ModelVersion
from catalog.services import exports


@require_safe
def download_bundle(request: HttpRequest, handle: str, name: str, number: int) -> HttpResponseBase:
    """Send one version of a model with its licence and attribution, to be run at home."""
    bundle = bundle_of(_visible_version(request, handle, name, number))
    unchanged = get_conditional_response(request, etag=bundle.etag)
    if unchanged is not None:
        return unchanged
    response = zip_response(bundle.entries(), bundle.filename, is_large=True)
    response["ETag"] = bundle.etag
    response["Cache-Control"] = "private, no-cache"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
def export_onnx(request: HttpRequest, handle: str, name: str, number: int) -> HttpResponseBase:
    """Send a generator as ONNX, with its manifest; POST: have that made, which takes a minute."""
    version = _visible_version(request, handle, name, number)
    if not exports.can_export(version):
        raise Http404
    if request.method == "POST":
        return _request_export(request, version)
    return serve_file(
        request,
        exports.onnx_key(version.sha256),
        content_type="application/zip",
        filename=f"{version.model.name}-v{version.number}-onnx.zip",
        download=True,
        immutable=True,
    )


@login_required
def _request_export(request: HttpRequest, version: ModelVersion) -> HttpResponseBase:
    assert isinstance(request.user, User)  # behind login_required
    job = exports.request_export(owner=request.user, version=version)
    if job is not None:
        messages.success(request, _("The ONNX file is being made. Reload this page in a minute."))
    place = redirect("catalog:model_files", version.model.owner.handle, version.model.name)
    place["Location"] += "#run-at-home"
    return place


def _visible_version(request: HttpRequest, handle: str, name: str, number: int) -> ModelVersion:
    visible = CatalogModel.objects.reachable_by(request.user).filter(owner__handle=handle, name=name)
    versions = ModelVersion.objects.select_related("model__owner", "licence", "source")
    found: ModelVersion = get_object_or_404(versions, model__in=visible, number=number)
    return found
