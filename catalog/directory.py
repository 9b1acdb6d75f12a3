"""The directory: what is asked of it, the models that answer, and how many stand behind each filter.

A search is words and values of filters. A model answers when it has the words and, in every filter that is
set, one of the values (of the keywords: all). A filter's counts hold with all other filters applied.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.search import CombinedSearchQuery, SearchQuery, SearchRank
from django.db import connection
from django.db.models import BooleanField, ExpressionWrapper, F, Prefetch, Q, QuerySet, Value
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from catalog.models import CatalogModel, ModelPicture
from catalog.selectors import with_latest_version
from catalog.words import FAMILY_TITLES, KIND_TITLES

MAX_QUERY = 200  # signs
_MAX_VALUES = 20  # of a filter that are heeded
_MAX_VALUE = 80  # signs of one
_SHOWN = 24  # values of a filter that are offered; those that are set always are
_MAY_BE_SOLD = "outputs"

SORTS: dict[str, str | Promise] = {
    "relevance": _("Best match"),
    "newest": _("Newest"),
    "used": _("Most used"),
    "name": _("Name"),
}
# Columns in which many models are the same: they are counted together.
_KINDS = ("type", "outputs_commercial", "input_kinds", "output_kinds", "family")
_ON_CARDS = (
    "name",
    "title",
    "tagline",
    "type",
    "family",
    "visibility",
    "outputs_commercial",
    "use_count",
    "created_at",
    "withdrawn_at",
    "owner__handle",
    "owner__display_name",
)
_ORDERS: dict[str, tuple[str, ...]] = {
    "newest": ("-created_at", "pk"),
    "used": ("-use_count", "-created_at", "pk"),
    "name": ("title", "pk"),
}


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Something to filter by.

    Attributes:
        name: as addresses have it.
        title: in words.
        column: what is looked at.
        lookup: how Django asks for any of the values, or for all of them.
        value: the SQL of its values in a row of models; none of them is counted where it is NULL.
        names: where the addresses' words for its values come from, where they are others: SQL that gives
            `value` and `name`.
        has_many: whether there are so many values that models are counted one by one, not in kinds.
        needs_all: whether each further value narrows the answer down.
        is_closed: whether there are no values but those with a title.
        titles: of its values, where they are not shown as they are.
    """

    name: str
    title: str | Promise
    column: str
    lookup: str = "in"
    value: str
    names: str = ""
    has_many: bool = False
    needs_all: bool = False
    is_closed: bool = False
    titles: Mapping[str, str | Promise] = field(default_factory=dict)


def _list_filter(name: str, title: Promise, column: str, **more: Any) -> Filter:
    """A filter by a column that holds several values."""
    more.setdefault("lookup", "overlap")
    return Filter(name=name, title=title, column=column, value=f"unnest({column})", **more)


FILTERS: tuple[Filter, ...] = (
    Filter(
        name="type",
        title=_("What it does"),
        column="type",
        value="type",
        is_closed=True,
        titles=dict(CatalogModel.Type.choices),
    ),
    Filter(
        name="sell",
        title=_("License"),
        column="outputs_commercial",
        value=f"CASE WHEN outputs_commercial THEN '{_MAY_BE_SOLD}' END",
        is_closed=True,
        titles={_MAY_BE_SOLD: _("What it makes may be sold")},
    ),
    _list_filter("takes", _("Takes"), "input_kinds", titles=KIND_TITLES),
    _list_filter("gives", _("Gives"), "output_kinds", titles=KIND_TITLES),
    Filter(name="family", title=_("Family"), column="family", value="family", titles=FAMILY_TITLES),
    _list_filter("keyword", _("Keywords"), "keywords", lookup="contains", needs_all=True, has_many=True),
    Filter(
        name="publisher",
        title=_("Publisher"),
        column="owner__handle",
        value="owner_id",
        names="SELECT id AS value, handle AS name FROM accounts_user",
        has_many=True,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is asked: words, an order, and the values of each filter by its name."""

    query: str = ""
    sort: str = ""
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def from_address(cls, asked: QueryDict) -> "Search":
        """Read an address; what makes no sense in it is left out."""
        chosen = {one.name: _values(one, asked.getlist(one.name)) for one in FILTERS}
        sort = asked.get("sort", "")
        return cls(
            query=_clean(asked.get("q", ""))[:MAX_QUERY].strip(),
            sort=sort if sort in SORTS else "",
            chosen={name: values for name, values in chosen.items() if values},
        )

    @property
    def is_asking(self) -> bool:
        """Whether anything is looked for at all."""
        return bool(self.query or self.chosen)

    @property
    def order(self) -> str:
        """The order that holds: the chosen one, as far as it has a meaning."""
        has_meaning = self.query or self.sort != "relevance"
        return self.sort if self.sort and has_meaning else self.usual_order

    @property
    def usual_order(self) -> str:
        """The order where none is chosen."""
        return "relevance" if self.query else "newest"

    def address(self) -> str:
        """Return the query string that stands for this search, "" for none; equal searches have the same."""
        asked = QueryDict(mutable=True)
        if self.query:
            asked["q"] = self.query
        for name, values in self.chosen.items():
            asked.setlist(name, list(values))
        if self.order != self.usual_order:
            asked["sort"] = self.order
        return asked.urlencode()

    def without(self, name: str, value: str) -> "Search":
        """The same search with one value less."""
        left = tuple(one for one in self.chosen.get(name, ()) if one != value)
        chosen = {**self.chosen, name: left}
        return replace(self, chosen={key: values for key, values in chosen.items() if values})


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A value of a filter, how many models it would show, and whether it is set."""

    name: str
    title: str | Promise
    count: int
    is_chosen: bool


@dataclass(frozen=True, kw_only=True)
class Facet:
    """A filter with its values, the chosen ones first."""

    name: str
    title: str | Promise
    values: list[Choice]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many models answer, how many would without any filter, and the filters."""

    total: int
    unfiltered: int
    facets: list[Facet]


def count_facets(user: User | AnonymousUser, search: Search) -> Counts:
    """Count what answers a search, behind every value of every filter. Two queries."""
    found, parameters = _marked(user, search).query.sql_with_params()
    counting = " UNION ALL ".join(_counting(search))
    # Reading the index of what is counted three times takes less than keeping all rows aside does.
    statement = (
        f"WITH found AS NOT MATERIALIZED ({found}), kinds AS MATERIALIZED ({_kinds(search)}) {counting}"
    )
    values = [list(search.chosen.get(one.name, ())) for one in FILTERS]
    with connection.cursor() as cursor:
        cursor.execute(statement, [*parameters, *values])
        rows = cursor.fetchall()
    counts: dict[str, dict[str, int]] = {}
    for name, value, count in rows:
        counts.setdefault(name, {})[value] = count
    publishers = _names_of([*counts.get("publisher", {}), *search.chosen.get("publisher", ())])
    facets = [_facet(one, counts.get(one.name, {}), search, publishers) for one in FILTERS]
    return Counts(
        total=counts["total"][""],
        unfiltered=counts["unfiltered"][""],
        facets=[facet for facet in facets if facet.values],
    )


def answering(user: User | AnonymousUser, search: Search) -> QuerySet[CatalogModel]:
    """Return the models that answer a search, in its order, with what their cards show."""
    models = _having_words(CatalogModel.objects.visible_to(user), search.query)
    for one in FILTERS:
        if one.name in search.chosen:
            models = models.filter(_condition(one, search.chosen[one.name]))
    if search.order == "relevance":
        rank = SearchRank(F("search"), _words(search.query))
        models = models.annotate(rank=rank).order_by("-rank", "-use_count", "-created_at", "pk")
    else:
        models = models.order_by(*_ORDERS[search.order])
    return for_cards(models)


def for_cards(models: QuerySet[CatalogModel]) -> QuerySet[CatalogModel]:
    """Fetch what cards show, and none of the long texts."""
    shown = with_latest_version(models).only(*_ON_CARDS)
    pictures = ModelPicture.objects.order_by("model_id", "position", "id").distinct("model_id")
    return shown.prefetch_related(Prefetch("pictures", queryset=pictures, to_attr="covers"))


def featured(limit: int = 4) -> QuerySet[CatalogModel]:
    """Return what the studio puts forward, the newest choice first."""
    shown = CatalogModel.objects.visible_to(AnonymousUser()).filter(featured_at__isnull=False)
    return for_cards(shown.order_by("-featured_at"))[:limit]


def similar(user: User | AnonymousUser, model: CatalogModel, limit: int = 3) -> QuerySet[CatalogModel]:
    """Return models of the same type that share most keywords with one, or words of its title."""
    words = [_clean(word).replace('"', " ") for word in model.keywords or model.title.split()]
    shared = " or ".join(f'"{word}"' for word in words)
    query = SearchQuery(shared, search_type="websearch", config="english")
    others = CatalogModel.objects.visible_to(user).filter(type=model.type, search=query).exclude(pk=model.pk)
    rank = SearchRank(F("search"), query)
    return for_cards(others.annotate(rank=rank).order_by("-rank", "-use_count", "-created_at"))[:limit]


def _words(query: str) -> CombinedSearchQuery | SearchQuery:
    """Return what people typed as a query: as search engines read it, the last word perhaps unfinished."""
    typed = re.fullmatch(r"(.*?)(\w+)", query, flags=re.DOTALL)
    if typed is None or re.search(r"\"|(^|\s)-\w*$|\bor\b", query, flags=re.IGNORECASE):
        return SearchQuery(query, search_type="websearch", config="english")
    before, last = typed.groups()
    ending = SearchQuery(last, search_type="websearch", config="english")
    ending |= SearchQuery(f"{last}:*", search_type="raw", config="simple")
    return SearchQuery(before, search_type="websearch", config="english") & ending


def _having_words(models: QuerySet[CatalogModel], query: str) -> QuerySet[CatalogModel]:
    return models.filter(search=_words(query)) if query else models


def _condition(one: Filter, values: tuple[str, ...]) -> Q:
    if one.column == "outputs_commercial":
        return Q(outputs_commercial=True)
    return Q(**{f"{one.column}__{one.lookup}": list(values)})


def _marked(user: User | AnonymousUser, search: Search) -> QuerySet[CatalogModel, dict[str, Any]]:
    """The models that have the words, each with whether it answers the filters that are set."""
    models = _having_words(CatalogModel.objects.visible_to(user), search.query).order_by()
    marks = {
        f"in_{one.name}": ExpressionWrapper(_condition(one, values), output_field=BooleanField())
        for one in FILTERS
        if (values := search.chosen.get(one.name))
    }
    rows: QuerySet[CatalogModel, dict[str, Any]] = models.annotate(n=Value(1), **marks).values(
        *_KINDS, "keywords", "owner_id", "n", *marks
    )
    return rows


def _kinds(search: Search) -> str:
    """The statement that puts models together that are the same in the columns with few values."""
    columns = ", ".join([*_KINDS, *(f"in_{name}" for name in search.chosen)])
    return f"SELECT {columns}, count(*) AS n FROM found GROUP BY {columns}"  # noqa: S608 -- see _counting


def _counting(search: Search) -> Iterator[str]:
    """Yield the statements that count: all, and each filter's values, which take one parameter each.

    Nothing in them is from a request: names and columns are those of `FILTERS`.
    """
    yield f"SELECT 'total', '', coalesce(sum(n), 0)::int FROM kinds WHERE {_where(search)}"  # noqa: S608
    yield "SELECT 'unfiltered', '', coalesce(sum(n), 0)::int FROM kinds"
    for one in FILTERS:
        table = "found" if one.has_many else "kinds"
        where = _where(search, but="" if one.needs_all else one.name)
        rows = f"SELECT {one.value} AS value, n FROM {table} WHERE {where}"  # noqa: S608
        counted = f"SELECT value, sum(n)::int AS n FROM ({rows}) AS each GROUP BY value"  # noqa: S608
        names = f"JOIN ({one.names}) AS names USING (value)" if one.names else ""
        shown = f"SELECT {'name' if one.names else 'value'} AS value, n FROM ({counted}) AS counted {names}"  # noqa: S608
        yield (
            f"(SELECT '{one.name}', value, n FROM ({shown}) AS shown WHERE value IS NOT NULL "  # noqa: S608
            f"ORDER BY value = ANY(%s) DESC, n DESC, value LIMIT {_SHOWN})"
        )


def _where(search: Search, but: str = "") -> str:
    marks = [f"in_{name}" for name in search.chosen if name != but]
    return " AND ".join(marks) or "true"


def _facet(one: Filter, counts: Mapping[str, int], search: Search, names: Mapping[str, str]) -> Facet:
    chosen = search.chosen.get(one.name, ())
    titles = names if one.name == "publisher" else one.titles
    order = [*chosen, *(value for value in counts if value not in chosen)]
    return Facet(
        name=one.name,
        title=one.title,
        values=[
            Choice(
                name=value,
                title=titles.get(value, value),
                count=counts.get(value, 0),
                is_chosen=value in chosen,
            )
            for value in order
        ],
    )


def _names_of(handles: list[str]) -> dict[str, str]:
    """What publishers are called, by their handles."""
    users = User.objects.filter(handle__in=handles).only("handle", "display_name")
    return {user.handle: user.public_name for user in users}


def _clean(text: str) -> str:
    return text.replace("\0", "").strip()


def _values(one: Filter, given: list[str]) -> tuple[str, ...]:
    cleaned = {_clean(value)[:_MAX_VALUE] for value in given[:_MAX_VALUES]} - {""}
    return tuple(sorted(cleaned & set(one.titles) if one.is_closed else cleaned))
