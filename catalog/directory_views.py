"""The directory of models."""

from functools import cached_property

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe
from django_htmx.http import push_url

from accounts.middleware import AccountHttpRequest
from catalog.directory import MAX_QUERY, SORTS, Counts, Search, answering, count_facets, featured
from catalog.models import CatalogModel
from catalog.spelling import suggest_query

PAGE_SIZE = 24


class _Counted(Paginator[CatalogModel]):
    """Pages of models that were counted before."""

    def __init__(self, models: QuerySet[CatalogModel], total: int) -> None:
        super().__init__(models, PAGE_SIZE)
        self._total = total

    @cached_property
    def count(self) -> int:
        """Return how many there are."""
        return self._total


@require_safe
def browse_catalog(request: AccountHttpRequest) -> HttpResponse:
    """Show the public models and one's own that answer the address's search; to htmx, the results alone."""
    search = Search.from_address(request.GET)
    counts = count_facets(request.user, search)
    page = _Counted(answering(request.user, search), counts.total).get_page(request.GET.get("page"))
    is_first_look = not search.is_asking and page.number == 1
    context = {
        "search": search,
        "counts": counts,
        "page": page,
        "chips": _chips(search, counts),
        "sorts": _sorts(search),
        "max_query": MAX_QUERY,
        "featured": featured() if is_first_look else [],
        "meant": suggest_query(request.user, search.query) if not counts.unfiltered else "",
    }
    is_fragment = request.htmx and not request.htmx.history_restore_request
    template = "catalog/model_browse.html#answer" if is_fragment else "catalog/model_browse.html"
    response = render(request, template, context)
    patch_vary_headers(response, ["HX-Request"])
    if is_fragment:
        push_url(response, _address(search))
    return response


def _address(search: Search) -> str:
    asked = search.address()
    return reverse("catalog:model_browse") + (f"?{asked}" if asked else "")


def _chips(search: Search, counts: Counts) -> list[dict[str, object]]:
    """What is filtered by, each with the address of the same search without it."""
    return [
        {"filter": facet.title, "title": value.title, "url": _address(search.without(facet.name, value.name))}
        for facet in counts.facets
        for value in facet.values
        if value.is_chosen
    ]


def _sorts(search: Search) -> list[dict[str, object]]:
    """The orders to choose from. The usual one has no name, so that it changes with what is asked."""
    return [
        {
            "name": "" if name == search.usual_order else name,
            "title": title,
            "is_chosen": name == search.order,
        }
        for name, title in SORTS.items()
        if search.query or name != "relevance"
    ]
