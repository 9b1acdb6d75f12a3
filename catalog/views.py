"""Pages of the catalog."""

import mimetypes
from http import HTTPStatus

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.files import serve_file
from accounts.middleware import AccountHttpRequest
from catalog import files, lineage, services
from catalog.exceptions import ModelInUseError, NameTakenError
from catalog.forms import RenameForm
from catalog.licences import terms
from catalog.manifests import SAMPLE_GRID
from catalog.models import CatalogModel, Licence, ModelFile, ModelVersion
from catalog.registry import dependents_of, parts_of_page
from catalog.selectors import RUNNABLE_FAMILIES, with_latest_version
from engines.manifest import LORA, TEXT_TO_IMAGE

# How the pages that make images are told of a model, by its family.
GENERATE_AS = {**dict.fromkeys(RUNNABLE_FAMILIES, "model"), TEXT_TO_IMAGE: "base", LORA: "adapter"}
PAGE_SIZE = 24
MAX_QUERY = 200


@require_safe
@login_required
def list_models(request: HttpRequest) -> HttpResponse:
    """Show the models of whoever asks."""
    models = with_latest_version(CatalogModel.objects.owned_by(request.user))
    return render(request, "catalog/model_list.html", {"page": _page(request, models)})


@require_safe
def browse_catalog(request: AccountHttpRequest) -> HttpResponse:
    """Show public models and one's own, filtered by the words of `q`."""
    query = request.GET.get("q", "").replace("\0", "").strip()[:MAX_QUERY]
    models = CatalogModel.objects.visible_to(request.user)
    for word in query.split()[:10]:
        models = models.filter(
            Q(title__icontains=word)
            | Q(tagline__icontains=word)
            | Q(description__icontains=word)
            | Q(name__icontains=word)
            | Q(owner__handle__icontains=word)
        )
    context = {"page": _page(request, with_latest_version(models)), "query": query}
    template = "catalog/model_browse.html#results" if request.htmx else "catalog/model_browse.html"
    return render(request, template, context)


def _page(request: HttpRequest, models: QuerySet[CatalogModel]) -> object:
    return Paginator(models, PAGE_SIZE).get_page(request.GET.get("page"))


def _visible_model(request: HttpRequest, handle: str, name: str) -> CatalogModel:
    return _find(CatalogModel.objects.visible_to(request.user), handle, name)


def _own_model(request: HttpRequest, handle: str, name: str) -> CatalogModel:
    return _find(CatalogModel.objects.owned_by(request.user), handle, name)


def _find(models: QuerySet[CatalogModel], handle: str, name: str) -> CatalogModel:
    return get_object_or_404(models.select_related("owner"), owner__handle=handle, name=name)


@require_safe
def show_model(request: HttpRequest, handle: str, name: str) -> HttpResponse:
    """Show what a model is, may do and was made from."""
    model = _visible_model(request, handle, name)
    version = _newest(model)
    stored = list(version.files.all()) if version else []
    context = {
        "model": model,
        "version": version,
        "files": stored,
        "grid": next((file for file in stored if file.path == SAMPLE_GRID), None),
        "terms": _terms(version.licence) if version else {},
        "attributions": model.attributions.all(),
        "made_from": lineage.made_from(version.source, request.user) if version else [],
        "made_into": lineage.made_into(version.source, request.user) if version else [],
        "notices": lineage.notices_of(version.source) if version else [],
        "parts": parts_of_page(version, request.user) if version else [],
        "is_owner": model.owner_id == request.user.pk,
        "generate_as": GENERATE_AS.get(model.family, "") if request.user.is_authenticated else "",
    }
    return render(request, "catalog/model_detail.html", context)


def _newest(model: CatalogModel) -> ModelVersion | None:
    return model.versions.select_related("licence", "source").order_by("-number").first()


def _terms(licence: Licence) -> dict[str, object]:
    return {
        "permissions": terms(licence.permissions),
        "conditions": terms(licence.conditions),
        "limitations": terms(licence.limitations),
        "use_restrictions": terms(licence.use_restrictions),
    }


@require_safe
def download_file(request: HttpRequest, handle: str, name: str, path: str) -> HttpResponseBase:
    """Serve a file of a model's newest version, or of the version named by `?v=<SHA-256>`."""
    model = _visible_model(request, handle, name)
    versions = model.versions.all()
    if "v" in request.GET:
        versions = versions.filter(sha256=request.GET["v"].replace("\0", ""))
    file = get_object_or_404(ModelFile, version=versions.order_by("-number").first(), path=path)
    content_type = mimetypes.guess_type(path)[0] or "application/octet-stream"
    is_picture = content_type in {"image/png", "image/jpeg", "image/webp"}
    return serve_file(
        request,
        files.weight_key(file.sha256),
        content_type=content_type if is_picture else "application/octet-stream",
        filename=f"{model.name}-{path.replace('/', '-')}",
        download="download" in request.GET or not is_picture,
        immutable="v" in request.GET,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def rename_model(request: HttpRequest, handle: str, name: str) -> HttpResponse:
    """Change title and address of an own model."""
    model = _own_model(request, handle, name)
    form = RenameForm(request.POST or None, instance=model)
    status = HTTPStatus.OK
    if request.method == "POST":
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        if form.is_valid():
            try:
                renamed = services.rename_model(model=model, **form.values())
            except NameTakenError as error:
                form.add_error("name", str(error.message))
            else:
                messages.success(request, _("Renamed. Links to the old address no longer work."))
                return redirect("catalog:model_detail", handle=handle, name=renamed.name)
    context = {"form": form, "model": _own_model(request, handle, name)}
    return render(request, "catalog/model_rename.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def delete_model(request: HttpRequest, handle: str, name: str) -> HttpResponse:
    """Ask what deleting an own model means, then delete it."""
    model = _own_model(request, handle, name)
    refusal = ""
    if request.method == "POST":
        try:
            services.delete_model(model=model)
        except ModelInUseError as error:
            refusal = str(error.message)
        else:
            messages.success(request, _("Deleted “%(title)s”.") % {"title": model.title})
            return redirect("catalog:model_list")
    version = _newest(model)
    context = {
        "model": model,
        "refusal": refusal,
        "dependents": dependents_of(model),
        "made_into": lineage.made_into(version.source, request.user) if version else [],
    }
    status = HTTPStatus.CONFLICT if refusal else HTTPStatus.OK
    return render(request, "catalog/model_delete.html", context, status=status)
