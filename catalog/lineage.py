"""What a model was made from, all the way up, and what was made from it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.db.models import Count, Max
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.models import CatalogModel, Derivation, Source, SourceNotice

# Deeper than any lineage people make by hand; keeps a query finite whatever the rows say.
MAX_DEPTH = 100

_ANCESTORS = """
    WITH RECURSIVE line (child, parent, role, depth) AS (
        SELECT child_id, parent_id, role, 1 FROM catalog_derivation WHERE child_id = %s
        UNION
        SELECT up.child_id, up.parent_id, up.role, line.depth + 1
        FROM catalog_derivation up JOIN line ON up.child_id = line.parent
        WHERE line.depth < %s
    )
    SELECT DISTINCT ON (parent) parent, child, role, depth FROM line ORDER BY parent, depth, child, role
"""

_DESCENDANTS = """
    WITH RECURSIVE line (child, parent, role, depth) AS (
        SELECT child_id, parent_id, role, 1 FROM catalog_derivation WHERE parent_id = ANY(%s)
        UNION
        SELECT down.child_id, down.parent_id, down.role, line.depth + 1
        FROM catalog_derivation down JOIN line ON down.parent_id = line.child
        WHERE line.depth < %s
    )
    SELECT DISTINCT ON (child) parent, child, role, depth FROM line ORDER BY child, depth, parent, role
"""


@dataclass(frozen=True, kw_only=True)
class Ancestor:
    """A node above another: `depth` 1 is what it was made from directly."""

    source: Source
    child: Source
    role: str
    depth: int

    @property
    def role_label(self) -> str | Promise:
        """How it was used, in words."""
        return Derivation.Role(self.role).label


@dataclass(frozen=True, kw_only=True)
class Descendant:
    """A node below others: `depth` 1 is what was made from one of them directly, in this `role`."""

    source: Source
    parent_id: UUID
    role: str
    depth: int


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What was noted of a source or of its origins: how often, and when last."""

    text: str
    count: int
    at: datetime


@dataclass(frozen=True, kw_only=True)
class LineageEntry:
    """A node of the lineage as one viewer may see it: `model` is None where there is no page to link to."""

    label: str
    role_label: str | Promise
    licence: str
    model: CatalogModel | None
    depth: int


def ancestors(source: Source) -> list[Ancestor]:
    """Everything `source` was made from, nearest first, each node once. Two queries."""
    edges = _edges_above(source.pk)
    nodes = _nodes({key for parent, child, _role, _depth in edges for key in (parent, child)})
    found = [
        Ancestor(source=nodes[parent], child=nodes[child], role=role, depth=depth)
        for parent, child, role, depth in edges
    ]
    return sorted(found, key=lambda ancestor: (ancestor.depth, ancestor.source.created_at))


def ancestor_keys(source: UUID) -> list[UUID]:
    """The keys of everything a source was made from. One query."""
    return [parent for parent, _child, _role, _depth in _edges_above(source)]


def _edges_above(source: UUID) -> list[tuple[UUID, UUID, str, int]]:
    with connection.cursor() as cursor:
        cursor.execute(_ANCESTORS, [source, MAX_DEPTH])
        edges: list[tuple[UUID, UUID, str, int]] = cursor.fetchall()
    return edges


def descendants(sources: Iterable[UUID]) -> list[Descendant]:
    """Everything that was made from these nodes, nearest first, each once. Two queries."""
    with connection.cursor() as cursor:
        cursor.execute(_DESCENDANTS, [list(sources), MAX_DEPTH])
        edges = cursor.fetchall()
    nodes = _nodes({child for _parent, child, _role, _depth in edges})
    found = [
        Descendant(source=nodes[child], parent_id=parent, role=role, depth=depth)
        for parent, child, role, depth in edges
    ]
    return sorted(found, key=lambda one: (one.depth, one.source.created_at))


def notices_of(source: Source) -> list[Notice]:
    """What whoever uses the source should know of it and of all it was made from, the newest first.

    Three queries.
    """
    line = [source.pk, *(ancestor.source.pk for ancestor in ancestors(source))]
    texts = SourceNotice.objects.filter(source__in=line).order_by().values("text")
    found = texts.annotate(count=Count("pk"), at=Max("created_at")).order_by("-at")
    return [Notice(text=one["text"], count=one["count"], at=one["at"]) for one in found]


def _nodes(keys: Iterable[object]) -> dict[object, Source]:
    sources = Source.objects.select_related("licence", "model_version__model__owner")
    return {source.pk: source for source in sources.filter(pk__in=list(keys))}


def made_from(source: Source, viewer: User | AnonymousUser) -> list[LineageEntry]:
    """What the source was made from, as the viewer may see it; each node is followed by its own origins."""
    by_child: dict[object, list[Ancestor]] = {}
    for ancestor in ancestors(source):
        by_child.setdefault(ancestor.child.pk, []).append(ancestor)
    return [
        _entry(ancestor.source, ancestor.role_label, ancestor.depth, viewer, user_of=ancestor.child)
        for ancestor in _depth_first(source.pk, by_child)
    ]


def _depth_first(key: object, by_child: dict[object, list[Ancestor]]) -> Iterator[Ancestor]:
    for ancestor in by_child.get(key, []):
        yield ancestor
        yield from _depth_first(ancestor.source.pk, by_child)


def made_into(source: Source, viewer: User | AnonymousUser, limit: int = 50) -> list[LineageEntry]:
    """The models that were made from the source directly and that the viewer may see."""
    edges = source.made_into.select_related("child__licence", "child__model_version__model__owner")
    edges = edges.filter(child__model_version__model__in=CatalogModel.objects.visible_to(viewer))
    return [
        _entry(edge.child, edge.get_role_display(), 1, viewer, user_of=edge.child)
        for edge in edges.order_by("-child__created_at")[:limit]
    ]


def made_of_any(sources: Iterable[UUID], viewer: User | AnonymousUser) -> list[LineageEntry]:
    """The models that were made from these nodes, directly or through others, as the viewer may see them."""
    return [
        _entry(one.source, Derivation.Role(one.role).label, one.depth, viewer, user_of=one.source)
        for one in descendants(sources)
    ]


def _entry(
    source: Source,
    role_label: str | Promise,
    depth: int,
    viewer: User | AnonymousUser,
    *,
    user_of: Source,
) -> LineageEntry:
    label, model = name_for(source, viewer, user_of=user_of)
    return LineageEntry(
        label=label, role_label=role_label, licence=source.licence.name, model=model, depth=depth
    )


def name_for(
    source: Source, viewer: User | AnonymousUser, *, user_of: Source
) -> tuple[str, CatalogModel | None]:
    """What a viewer may call a source that `user_of` was made from, and the page that they may open.

    Names that are not the viewer's to see are hidden: somebody's private model, the dataset behind it.
    """
    model = model_of(source)
    if model is not None:
        return (model.title, model) if model.is_visible_to(viewer) else (_("A private model"), None)
    if source.kind == Source.Kind.MODEL:
        return (source.label if _is_shipped(user_of) else _("A model that was deleted")), None
    return (source.label if _may_see_datasets(user_of, viewer) else _("A private dataset")), None


def model_of(source: Source) -> CatalogModel | None:
    """Return the model that a source stands for, or None for a dataset and for a deleted model."""
    version = getattr(source, "model_version", None)
    return version.model if version else None


def _is_shipped(source: Source) -> bool:
    """Whether the studio ships the model: what that was made from was never in the catalog, unless linked."""
    model = model_of(source)
    return model is not None and model.is_starter


def _may_see_datasets(user_of: Source, viewer: User | AnonymousUser) -> bool:
    """Whether the viewer made the model that used the dataset (its owner, then), or the studio ships it."""
    model = model_of(user_of)
    return _is_shipped(user_of) or (model is not None and model.owner_id == viewer.pk)
