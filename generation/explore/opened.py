"""A point as a link opens it: in which network, moved how far, mixed with what."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from accounts.models import User
from catalog.generators import Network, find_network
from engines.stylegan.points import Point
from generation.exceptions import PointRefusedError
from generation.explore import points
from generation.explore.admission import admission
from generation.explore.shaping import ShapeForm
from generation.explore.tray import Seen, see
from generation.models import SavedPoint

# Larger pictures are too much work for the two ends of every slider.
_MAX_SIDE_OF_ENDS = 256
_VALUE_LENGTH = 40


@dataclass(frozen=True, kw_only=True)
class OpenedPoint:
    """A saved point in a network, changed as `form` says into `shape`; `problem` is why it could not be.

    `own` is the network in which it was pinned, `others` are the viewer's points that it may be mixed with.
    """

    saved: SavedPoint
    own: Network
    network: Network
    form: ShapeForm
    others: list[SavedPoint]
    shape: Point
    problem: str

    @property
    def is_refused(self) -> bool:
        """Whether something of what the link asks for cannot be done."""
        return bool(self.problem or self.form.errors)

    @property
    def is_changed(self) -> bool:
        """Whether it is shown otherwise than it was pinned."""
        return self.shape != points.parse(self.saved)

    @property
    def as_text(self) -> str:
        """The shape as a form sends it."""
        return points.as_text(self.shape)

    @property
    def address(self) -> str:
        """The address of the page as it stands."""
        plain = self.form.plain
        values = {
            name: self.form.data[name] for name in plain if str(self.form.data[name]) != str(plain[name])
        }
        if self.network.key != self.own.key:
            values["in"] = self.network.key
        url = self.saved.get_absolute_url()
        return f"{url}?{urlencode(values)}" if values else url


def open_point(viewer: User | AnonymousUser, pk: UUID, query: Mapping[str, str]) -> OpenedPoint:
    """Open a point that the viewer may see, changed by a query. Raises Http404.

    `in` names another network than that in which it was pinned; the rest is `ShapeForm`'s.
    """
    saved: SavedPoint = get_object_or_404(points.points_shown_to(viewer), pk=pk)
    own = points.network_where_found(saved, viewer)
    if own is None:  # also where its model was withdrawn, or is not shown any more
        raise Http404
    network, problem = _network(query.get("in") or own.key, viewer), ""
    if refusal := points.why_not_shown(points.parse(saved), network):
        network, problem = own, refusal
    others = [one for one in points.tray_of(viewer, network) if one.pk != saved.pk]
    shape = points.parse(saved)
    form = ShapeForm(
        {name: value[:_VALUE_LENGTH] for name, value in query.items()},
        base=shape,
        network=network,
        names=points.direction_names(network.version),
        others=others,
    )
    if form.is_valid():
        try:
            shape = form.shape()
        except PointRefusedError as error:
            problem = str(error)
    return OpenedPoint(
        saved=saved, own=own, network=network, form=form, others=others, shape=shape, problem=problem
    )


def _network(key: str, viewer: User | AnonymousUser) -> Network:
    network = find_network(key, viewer)
    if network is None:
        raise Http404
    return network


def see_shape(request: HttpRequest, opened: OpenedPoint) -> Seen:
    """Return where the picture of a point is as it is changed just now."""
    slot = f"shape {opened.saved.pk}"
    (seen,) = see(request.user, opened.network, [opened.shape], slot=slot, admit=admission(request))
    return seen


def see_whole(request: HttpRequest, opened: OpenedPoint) -> dict[str, Any]:
    """Return all pictures of a point's page, which are asked for at once, the point's own first.

    `seen` is its own; `sliders` has each direction with the pictures of its two ends, or with none where
    pictures are large; `others` each of the other points with its own.
    """
    sliders = list(opened.form.sliders())
    is_small = opened.network.resolution <= _MAX_SIDE_OF_ENDS
    ends = [end for slider in sliders for end in slider.ends] if is_small else []
    wanted = [opened.shape, *ends, *map(points.parse, opened.others)]
    slot = f"point {opened.saved.pk}"
    seen, *rest = see(request.user, opened.network, wanted, slot=slot, admit=admission(request))
    pairs = [rest[2 * place : 2 * place + 2] if is_small else [] for place in range(len(sliders))]
    return {
        "seen": seen,
        "sliders": list(zip(sliders, pairs, strict=True)),
        "others": list(zip(opened.others, rest[len(ends) :], strict=True)),
    }
