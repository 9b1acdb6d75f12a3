"""Pages of the catalog."""

import json
import mimetypes
from http import HTTPStatus

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.files import serve_file
from catalog import files, lineage, services
from catalog.addresses import own_model, reached_model
from catalog.directory import for_cards, similar
from catalog.exceptions import ModelInUseError, NameTakenError
from catalog.forms import RenameForm
from catalog.licences import MEANINGS, Term, terms
from catalog.manifests import SAMPLE_GRID
from catalog.model_page import page_context, versions_of
from catalog.models import CatalogModel, Licence, ModelFile, PublicationRequest, Visibility
from catalog.registry import dependents_of, parts_of_page
from catalog.terms import effective_terms, required_attribution
from catalog.versions import history_of

PAGE_SIZE = 24
VERSIONS_A_PAGE = 20


@require_safe
@login_required
def list_models(request: HttpRequest) -> HttpResponse:
    """Show the models of whoever asks, with who may have each; `?type=` keeps those of one type."""
    own = CatalogModel.objects.owned_by(request.user)
    counts = dict(own.order_by().values_list("type").annotate(Count("pk")))
    kind = request.GET.get("type", "")
    models = own.filter(type=kind) if kind in counts else own
    page = Paginator(for_cards(models), PAGE_SIZE).get_page(request.GET.get("page"))
    waiting = PublicationRequest.objects.filter(state=PublicationRequest.State.WAITING)
    asked = set(waiting.filter(model__in=list(page)).values_list("model", flat=True))
    context = {
        "page": page,
        "models": [(model, _state_of(model, is_asked=model.pk in asked)) for model in page],
        "tabs": _kind_tabs(counts, kind),
    }
    return render(request, "catalog/model_list.html", context)


def _state_of(model: CatalogModel, *, is_asked: bool) -> str | Promise:
    """Who may have an own model, in words; `is_asked`: whether staff have been asked to make it public."""
    if model.withdrawn_at:
        return _("Withdrawn")
    if is_asked:
        return _("Waiting for review")
    return Visibility(model.visibility).label


def _kind_tabs(counts: dict[str, int], chosen: str) -> list[dict[str, object]]:
    """The links of one's own models' page: all, and each type that there is; none where there is one type."""
    if len(counts) < 2:
        return []
    url = reverse("catalog:model_list")
    all_of_them = {
        "url": url,
        "title": _("All"),
        "count": sum(counts.values()),
        "is_open": chosen not in counts,
    }
    types = [
        {"url": f"{url}?type={kind}", "title": title, "count": counts[kind], "is_open": kind == chosen}
        for kind, title in CatalogModel.Type.choices
        if kind in counts
    ]
    return [all_of_them, *types]


@require_safe
@reached_model
def show_model(request: HttpRequest, model: CatalogModel) -> HttpResponse:
    """Overview: what a model makes, in pictures and in words."""
    context = page_context(request, model, tab="overview")
    version = context["version"]
    context |= {
        "pictures": model.pictures.all(),
        "grid": version.files.filter(path=SAMPLE_GRID).first() if version else None,
        "parts": parts_of_page(version, request.user, "overview") if version else [],
        "similar": list(similar(request.user, model)),
    }
    return render(request, "catalog/model_detail.html", context)


@require_safe
@reached_model
def list_versions(request: HttpRequest, model: CatalogModel) -> HttpResponse:
    """Versions: what there was, and what changed from one to the next."""
    page = Paginator(versions_of(model), VERSIONS_A_PAGE).get_page(request.GET.get("page"))
    context = page_context(request, model, tab="versions")
    context |= {"page": page, "history": history_of(page.object_list)}
    return render(request, "catalog/model_versions.html", context)


@require_safe
@reached_model
def show_version(request: HttpRequest, model: CatalogModel, number: int) -> HttpResponse:
    """One version as it is and stays: its files, its manifest, what is different from the one before."""
    version = get_object_or_404(versions_of(model), number=number)
    context = page_context(request, model, tab="versions", version=version)
    context |= {
        "entry": history_of([version])[0],
        "files": version.files.all(),
        "manifest": json.dumps(version.manifest, indent=2, ensure_ascii=False),
    }
    return render(request, "catalog/version_detail.html", context)


@require_safe
@reached_model
def list_files(request: HttpRequest, model: CatalogModel) -> HttpResponse:
    """Files: what the newest version consists of, to use on one's own computer."""
    context = page_context(request, model, tab="files")
    version = context["version"]
    context["files"] = version.files.all() if version else []
    context["parts"] = parts_of_page(version, request.user, "files") if version else []
    return render(request, "catalog/model_files.html", context)


@require_safe
@reached_model
def show_licence(request: HttpRequest, model: CatalogModel) -> HttpResponse:
    """License: what may be done with the model and what it makes, by its own and by its origins' terms."""
    context = page_context(request, model, tab="licence")
    if context["version"]:
        context["effective"] = effective_terms(context["version"], viewer=request.user)
        context["terms"] = _terms(context["licence"])
    return render(request, "catalog/model_licence.html", context)


@require_safe
@reached_model
def show_attribution(request: HttpRequest, model: CatalogModel) -> HttpResponse:
    """Attribution: who is behind the model, and what has to stand wherever it is used."""
    context = page_context(request, model, tab="attribution")
    context["attributions"] = model.attributions.order_by("pk")
    context["required"] = required_attribution(context["version"]) if context["version"] else []
    return render(request, "catalog/model_attribution.html", context)


def _terms(licence: Licence) -> dict[str, list[Term]]:
    return {name: terms(getattr(licence, name), of=name) for name in MEANINGS}


@require_safe
@reached_model
def download_file(request: HttpRequest, model: CatalogModel, path: str) -> HttpResponseBase:
    """Serve a file of a model's newest version, or of the version named by `?v=<SHA-256>`."""
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
    model = own_model(request, handle, name)
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
                messages.success(
                    request, _("Renamed. The old address leads here until you give it to another model.")
                )
                return redirect("catalog:model_detail", handle=handle, name=renamed.name)
    context = {"form": form, "model": own_model(request, handle, name)}
    return render(request, "catalog/model_rename.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def delete_model(request: HttpRequest, handle: str, name: str) -> HttpResponse:
    """Ask what deleting an own model means, then delete it."""
    model = own_model(request, handle, name)
    refusal = ""
    if request.method == "POST":
        try:
            services.delete_model(model=model)
        except ModelInUseError as error:
            refusal = str(error.message)
        else:
            messages.success(request, _("Deleted “%(title)s”.") % {"title": model.title})
            return redirect("catalog:model_list")
    version = versions_of(model).first()
    context = {
        "model": model,
        "refusal": refusal,
        "dependents": dependents_of(model),
        "made_into": lineage.made_into(version.source, request.user) if version else [],
    }
    status = HTTPStatus.CONFLICT if refusal else HTTPStatus.OK
    return render(request, "catalog/model_delete.html", context, status=status)
