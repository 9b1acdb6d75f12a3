"""The line of a source: itself and everything it was made from, with all edges and the licences that hold."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.lineage import MAX_DEPTH, model_of, name_for
from catalog.models import CatalogModel, Licence, LicenceGrant, Source

_EDGES = """
    WITH RECURSIVE line (root, child, parent, role, depth) AS (
        SELECT child_id, child_id, parent_id, role, 1 FROM catalog_derivation WHERE child_id = ANY(%s)
        UNION
        SELECT line.root, up.child_id, up.parent_id, up.role, line.depth + 1
        FROM catalog_derivation up JOIN line ON up.child_id = line.parent
        WHERE line.depth < %s
    )
    SELECT root, child, parent, role, min(depth) FROM line GROUP BY root, child, parent, role
    ORDER BY min(depth), role, parent, child
"""
_Edge = tuple[UUID, UUID, str, int]  # child, parent, role, depth


@dataclass(frozen=True, kw_only=True)
class Edge:
    """The child was made from the parent, in this `role` (a `Derivation.Role`)."""

    child: UUID
    parent: UUID
    role: str


@dataclass(frozen=True, kw_only=True)
class LineNode:
    """A source of a line.

    Attributes:
        source: the row.
        depth: 0 for the thing itself, 1 for what it was made from directly.
        licence: the one that holds: what was granted last, else what it came with.
        holder_id: the account whose it is; None where that is not known any more.
        used_by: what was made from it in this line; the nearest for naming it. The thing itself at depth 0.
        is_passed_on: whether all that was made from it is of the same holder, who decides about both.
    """

    source: Source
    depth: int
    licence: Licence
    holder_id: UUID | None
    used_by: Source
    is_passed_on: bool

    @property
    def attribution(self) -> str:
        """The line that names those behind it; "" where nobody has to be named and nobody is."""
        if self.source.attribution or not self.licence.attribution_required:
            return self.source.attribution
        licence = self.licence.spdx_id or self.licence.name
        model = model_of(self.source)
        if model is not None:
            told = _("%(title)s by %(who)s (%(licence)s)")
            return told % {"title": model.title, "who": model.owner.public_name, "licence": licence}
        if self.source.kind == Source.Kind.DATASET:
            return _("Pictures under %(licence)s") % {"licence": licence}
        return f"{self.source.label} ({licence})"

    def name_for(self, viewer: User | AnonymousUser) -> tuple[str, CatalogModel | None]:
        """What a viewer may call it, and the page that they may open.

        Whoever looks at a model's line may look at the model.
        """
        model = model_of(self.source)
        if self.depth == 0 and model is not None:
            return model.title, model
        return name_for(self.source, viewer, user_of=self.used_by)


@dataclass(frozen=True, kw_only=True)
class Line:
    """Nodes nearest first, beginning with the thing itself, and every edge between them."""

    nodes: tuple[LineNode, ...]
    edges: tuple[Edge, ...]


def line_of(source: Source) -> Line:
    """Read the line of a source. Three queries."""
    return lines_of([source.pk])[source.pk]


def lines_of(keys: Collection[UUID]) -> dict[UUID, Line]:
    """Read the lines of several sources, by their keys. Three queries for all of them."""
    rows: dict[UUID, list[_Edge]] = {key: [] for key in keys}
    with connection.cursor() as cursor:
        cursor.execute(_EDGES, [list(rows), MAX_DEPTH])
        for root, *edge in cursor.fetchall():
            rows[root].append(tuple(edge))
    all_keys = {*rows, *(parent for edges in rows.values() for _child, parent, _role, _depth in edges)}
    found = Source.objects.select_related("licence", "model_version__model__owner")
    sources = {one.pk: one for one in found.filter(pk__in=all_keys)}
    grants = LicenceGrant.objects.filter(source__in=all_keys).select_related("licence").order_by("granted_at")
    granted = {grant.source_id: grant.licence for grant in grants}
    return {root: _line(root, edges, sources, granted) for root, edges in rows.items()}


def _line(
    root: UUID, rows: Sequence[_Edge], sources: Mapping[UUID, Source], granted: Mapping[UUID, Licence]
) -> Line:
    depths: dict[UUID, int] = {root: 0}
    users: dict[UUID, list[UUID]] = defaultdict(list)
    for child, parent, _role, depth in rows:
        depths.setdefault(parent, depth)
        users[parent].append(child)
    nodes = tuple(
        LineNode(
            source=sources[key],
            depth=depth,
            licence=granted.get(key, sources[key].licence),
            holder_id=_holder(sources[key]),
            used_by=sources[users[key][0]] if users[key] else sources[key],
            is_passed_on=_is_passed_on(sources[key], [sources[user] for user in users[key]]),
        )
        for key, depth in sorted(depths.items(), key=lambda item: (item[1], str(item[0])))
    )
    edges = tuple(Edge(child=child, parent=parent, role=role) for child, parent, role, _depth in rows)
    return Line(nodes=nodes, edges=edges)


def _holder(source: Source) -> UUID | None:
    model = model_of(source)
    return model.owner_id if model else None


def _is_passed_on(source: Source, users: list[Source]) -> bool:
    """Whether whoever holds it made all of these from it.

    A dataset is trained on by its holder alone, and so was a model that is deleted while it was kept back.
    """
    holder = _holder(source)
    return bool(users) and (holder is None or all(_holder(user) in (holder, None) for user in users))
