"""The line of a model as a drawing: boxes in rows, origins above what was made from them, and their terms."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.licences import Term, terms
from catalog.line import Edge, Line, LineNode, line_of
from catalog.models import CatalogModel, Derivation, Licence, ModelVersion
from catalog.terms import Action, EffectiveTerms, forbids, terms_of_line

# In the drawing's units, which are pixels where there is room.
BOX_WIDTH, BOX_HEIGHT = 208, 56
GAP, ROW_GAP = 24, 56
_MARGIN = 8
_LONGEST_LABEL, _LONGEST_LICENCE = 25, 30


@dataclass(frozen=True, kw_only=True)
class Box:
    """A node: where it is drawn, what it is called, and what it contributes to the terms."""

    x: int
    y: int
    label: str
    short_label: str
    licence: Licence
    short_licence: str
    roles: list[str | Promise]
    model: CatalogModel | None
    is_self: bool
    sentences: list[str]

    @property
    def middle(self) -> int:
        """Where its text begins, in the middle of the box."""
        return self.x + BOX_WIDTH // 2


@dataclass(frozen=True, kw_only=True)
class Arrow:
    """An edge as a path of SVG, from the origin down to what was made from it, with its role beside it."""

    path: str
    role: str | Promise
    x: int
    y: int


@dataclass(frozen=True, kw_only=True)
class Graph:
    """The drawing and what the line adds up to; `refused` says, with its sentence, what may not be done."""

    width: int
    height: int
    boxes: list[Box]
    arrows: list[Arrow]
    terms: EffectiveTerms
    permissions: list[Term]
    conditions: list[Term]
    limitations: list[Term]
    use_restrictions: list[Term]
    refused: list[tuple[str, str]]


def draw(version: ModelVersion, viewer: User | AnonymousUser) -> Graph:
    """Draw the line of a version in the names that the viewer may read. Three queries."""
    line = line_of(version.source)
    effective = terms_of_line(line, viewer=viewer)
    places = _places(line)
    widest = max(x for x, _y in places.values()) + BOX_WIDTH
    lowest = max(y for _x, y in places.values()) + BOX_HEIGHT
    return Graph(
        width=widest + _MARGIN,
        height=lowest + _MARGIN,
        boxes=[_box(node, line, places, effective, viewer) for node in line.nodes],
        arrows=[_arrow(edge, places) for edge in line.edges],
        terms=effective,
        permissions=terms(sorted(effective.permissions)),
        conditions=terms(sorted(effective.conditions)),
        limitations=terms(sorted(effective.limitations)),
        use_restrictions=terms(sorted(effective.use_restrictions)),
        refused=[
            (title, sentence)
            for title, action in (
                (_("Making something new from it"), Action.DERIVE),
                (_("Passing it on"), Action.SHARE),
                (_("Offering it for money"), Action.SELL),
            )
            if (sentence := forbids(effective, action))
        ],
    )


def _box(
    node: LineNode,
    line: Line,
    places: Mapping[UUID, tuple[int, int]],
    effective: EffectiveTerms,
    viewer: User | AnonymousUser,
) -> Box:
    label, model = node.name_for(viewer)
    x, y = places[node.source.pk]
    roles = dict.fromkeys(edge.role for edge in line.edges if edge.parent == node.source.pk)
    return Box(
        x=x,
        y=y,
        label=label,
        short_label=_shorten(label, _LONGEST_LABEL),
        licence=node.licence,
        short_licence=_shorten(node.licence.spdx_id or node.licence.name, _LONGEST_LICENCE),
        roles=[Derivation.Role(role).label for role in roles],
        model=model,
        is_self=node.depth == 0,
        sentences=effective.sentences_of(str(node.source.pk)),
    )


def _places(line: Line) -> dict[UUID, tuple[int, int]]:
    """Where the boxes stand: each row in the middle, its boxes near what was made from them."""
    rows = _rows(line)
    width = max(_row_width(len(row)) for row in rows)
    users = defaultdict(list)
    for edge in line.edges:
        users[edge.parent].append(edge.child)
    places: dict[UUID, tuple[int, int]] = {}
    for above, row in enumerate(rows):
        placed = {key: [places[user][0] for user in users[key] if user in places] for key in row}
        ordered = sorted(row, key=lambda key: sum(placed[key]) / max(1, len(placed[key])))
        left = _MARGIN + (width - _row_width(len(row))) // 2
        y = _MARGIN + (len(rows) - 1 - above) * (BOX_HEIGHT + ROW_GAP)
        for column, key in enumerate(ordered):
            places[key] = (left + column * (BOX_WIDTH + GAP), y)
    return places


def _rows(line: Line) -> list[list[UUID]]:
    """The nodes by their longest way down to the thing itself, so that every edge leads downwards."""
    level = {node.source.pk: node.depth for node in line.nodes}
    for _round in level:  # as often as the longest way can have steps
        moved = False
        for edge in line.edges:
            if level[edge.parent] <= level[edge.child] < len(level):
                level[edge.parent], moved = level[edge.child] + 1, True
        if not moved:
            break
    rows: dict[int, list[UUID]] = defaultdict(list)
    for node in line.nodes:
        rows[level[node.source.pk]].append(node.source.pk)
    return [rows[number] for number in sorted(rows)]


def _row_width(boxes: int) -> int:
    return boxes * (BOX_WIDTH + GAP) - GAP


def _arrow(edge: Edge, places: Mapping[UUID, tuple[int, int]]) -> Arrow:
    (from_x, from_y), (to_x, to_y) = places[edge.parent], places[edge.child]
    start, end = from_x + BOX_WIDTH // 2, to_x + BOX_WIDTH // 2
    top, bottom = from_y + BOX_HEIGHT, to_y
    bend = top + ROW_GAP // 2
    return Arrow(
        path=f"M{start} {top}C{start} {bend} {end} {bottom - ROW_GAP // 2} {end} {bottom}",
        role=Derivation.Role(edge.role).label,
        x=start + 6,
        y=top + 16,
    )


def _shorten(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"
