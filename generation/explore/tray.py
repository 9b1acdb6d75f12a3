"""The tray of points on the pages of a model, and pictures of points as pages show them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser

from accounts.models import User
from catalog.generators import Network
from engines.stylegan.points import Point
from generation.exceptions import LooksBusyError
from generation.explore import points
from generation.explore.looks import ask_sheets, look_url, made_of, visitors_account
from generation.explore.walks import way_of
from generation.explore.wanted import sheet_of_points

# Of more points than these the newest: a walk through all of them would take minutes.
_MOST_ON_THE_WAY = 8


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A point's picture: its key, the address under which it comes, and whether it is there."""

    key: str
    url: str
    is_made: bool


def see(
    viewer: User | AnonymousUser,
    network: Network,
    wanted: Iterable[Point],
    *,
    slot: str,
    admit: Callable[[], bool] | None = None,
) -> list[Seen]:
    """Return where the pictures of points are, in their order; those that are not made yet are ordered.

    What a `slot` of the viewer's still waited for is replaced. `admit` as for `ask_sheets`. Where that says
    no, or too many visitors look on, pictures come when the page asks again.
    """
    chosen = list(wanted)
    if not chosen:
        return []
    sheet = sheet_of_points(network.key, network.sha256, chosen)
    try:
        owner = viewer if isinstance(viewer, User) else visitors_account()
        made = ask_sheets(owner=owner, slot=slot, sheets=[sheet], admit=admit).made
    except LooksBusyError:
        made = made_of([sheet])
    return [Seen(key=key, url=look_url(network, key), is_made=key in made) for key in sheet.keys]


def tray_context(viewer: User | AnonymousUser, network: Network) -> dict[str, Any]:
    """Return what `generation/point_tray.html` shows: the viewer's points that fit a network."""
    tray = points.tray_of(viewer, network)
    seen = see(viewer, network, map(points.parse, tray), slot=f"tray {network.key}")
    return {
        "network": network,
        "tray": list(zip(tray, seen, strict=True)),
        # In the order in which they were pinned.
        "way": way_of(reversed(tray[:_MOST_ON_THE_WAY])),
    }
