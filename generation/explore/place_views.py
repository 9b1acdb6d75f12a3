"""Where exploring begins: the list of maps, two networks beside each other, the landing page's map."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.middleware import AccountHttpRequest
from catalog.directory import for_cards
from catalog.generators import Network, find_network, network_of, siblings_of
from catalog.models import CatalogModel, ModelVersion
from engines.manifest import FAMILIES
from generation.explore import maps
from generation.explore.map_views import map_config, map_settings
from generation.explore.tray import tray_context

# Of each group; the catalog has the others.
_SHOWN = 24


@require_safe
def list_maps(request: HttpRequest) -> HttpResponse:
    """Show what has a map: one's own models, and those of the catalog."""
    with_versions = CatalogModel.objects.filter(family__in=FAMILIES, versions__isnull=False)
    models = CatalogModel.objects.visible_to(request.user).filter(
        withdrawn_at__isnull=True, pk__in=with_versions.values("pk")
    )
    others = models.exclude(owner=request.user.pk).order_by("-is_starter", "-use_count", "-created_at")
    context = {
        "own": for_cards(models.filter(owner=request.user.pk))[:_SHOWN],
        "others": for_cards(others)[:_SHOWN],
    }
    return render(request, "generation/map_list.html", context)


@require_safe
def show_beside(request: AccountHttpRequest) -> HttpResponse:
    """Show the same places of two networks, `a` and `b`: two snapshots, two versions of a model."""
    first, second = (_network(request, request.GET.get(side, "")) for side in "ab")
    view, problem = maps.read_view(request.GET.dict(), first, request.user)
    if not problem:
        _view, problem = maps.read_view(request.GET.dict(), second, request.user)
    fixed = {"a": first.key, "b": second.key}
    networks = [first, second]
    context = {
        "network": first,
        "networks": networks,
        "sides": list(zip("ab", networks, [siblings_of(one) for one in networks], strict=True)),
        "problem": problem,
        "config": map_config(request, networks, view, fixed=fixed),
        **map_settings(first, view, fixed),
        **tray_context(request.user, first),
    }
    return render(request, "generation/map_beside.html", context, status=422 if problem else 200)


def landing_map(request: HttpRequest) -> dict[str, Any]:
    """Return what the landing page shows of a shipped model's map; nothing where none is shipped."""
    starters = CatalogModel.objects.visible_to(AnonymousUser()).filter(is_starter=True, family__in=FAMILIES)
    newest = ModelVersion.objects.filter(model__in=starters.values("pk")).select_related("model__owner")
    version = newest.order_by("-model__featured_at", "model__created_at", "-number").first()
    if version is None:
        return {}
    network = network_of(version)
    config = map_config(request, [network], maps.View(), fixed={}) | {"follows": False}
    return {"network": network, "config": config}


def _network(request: HttpRequest, key: str) -> Network:
    network = find_network(key, request.user)
    if network is None:
        raise Http404
    return network
