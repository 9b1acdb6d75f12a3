"""Maps of latent spaces: their pages, the pictures that pages ask for, and those pictures."""

import hashlib
import json
import math
import uuid
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from allauth.core.internal.ratelimit import get_ip
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_POST, require_safe

from accounts.files import serve_file
from accounts.middleware import AccountHttpRequest
from accounts.models import User
from catalog.addresses import reached_model
from catalog.generators import Network, find_network, network_of, siblings_of
from catalog.models import CatalogModel, ModelFile, Visibility
from engines.errors import ConfigError
from engines.manifest import FAMILIES, GENERATOR_FILE
from engines.stylegan.points import Tile, parse_point
from generation.exceptions import LookRefusedError, LooksBusyError
from generation.explore import looks, maps, points
from generation.explore.addressed import pin_url
from generation.explore.admission import admission
from generation.explore.cache import CONTENT_TYPE, forget_picture, storage_key
from generation.explore.tray import tray_context
from generation.explore.wanted import Sheet
from jobs.estimates import is_served
from jobs.models import Queue

# What a request for pictures may weigh: a map whose centre has values for each of 18 layers has a fifth.
MAX_ASKED_BYTES = 300_000
MAX_NETWORKS = 2
_NOT_SHOWN = gettext_noop(
    "The page has asked for something that cannot be shown. Reload the page, then go on."
)


@require_safe
@reached_model
def show_map(request: AccountHttpRequest, model: CatalogModel) -> HttpResponse:
    """Show the map of a model's newest version, or of the version `v`."""
    return _map_page(request, _network_of_model(model, request.GET.get("v", "")))


@require_safe
def show_network_map(request: AccountHttpRequest, key: str) -> HttpResponse:
    """Show the map of a network that is no model yet, or of any by its key."""
    return _map_page(request, _network(request, key))


@require_POST
def ask_tiles(request: AccountHttpRequest) -> HttpResponse:
    """Say which tiles of a map are made, and have the others made: JSON in, JSON out.

    In: `networks` (one key, or two to see beside each other), `map`, `tiles` as [x, y, zoom], the first
    first, and `again` after a failure. Out: for each network where its pictures lie and the tiles' keys,
    `made` with those that are there, `problem`, `waits` where no worker has begun, `away` where there is
    none. 422 with `problem` for what cannot be shown, 429 for too much.
    """
    try:
        asked = _read_asked(request)
        networks = [_network(request, str(key)) for key in asked["networks"]]
        tiles = [Tile(x=x, y=y, zoom=zoom) for x, y, zoom in asked["tiles"]]
        latent_map = maps.read_map(asked["map"])
        sheets = [looks.tiles_of(network, latent_map, tiles) for network in networks]
        answer = _ask(request, sheets, again=bool(asked.get("again")))
    except LooksBusyError as error:
        return _refused(str(error), HTTPStatus.TOO_MANY_REQUESTS, retry_after=error.retry_after)
    except (ConfigError, LookRefusedError) as error:
        return _refused(str(error), HTTPStatus.UNPROCESSABLE_ENTITY)
    except (ValueError, KeyError, TypeError, RecursionError):
        return _refused(_(_NOT_SHOWN), HTTPStatus.UNPROCESSABLE_ENTITY)
    return JsonResponse(
        {
            "networks": [
                {"base": _base(network), "keys": sheet.keys}
                for network, sheet in zip(networks, sheets, strict=True)
            ],
            "made": sorted(answer.made),
            "problem": answer.problem,
            "waits": answer.waits,
            "away": answer.waits and not is_served(Queue.GENERATE),
        },
        headers={"Cache-Control": "private, no-store"},
    )


@require_POST
def find_centre(request: AccountHttpRequest) -> HttpResponse:
    """Say what w is at a place of a map, so that it can be the middle of another one: JSON in, JSON out.

    In: `networks` as for `ask_tiles`, and `point`. Out: `centre`, a point that holds nothing but values; it
    is null, with 202, until a worker has found it. 422 and 429 as for `ask_tiles`.
    """
    try:
        asked = json.loads(_read_body(request))
        networks = [_network(request, str(key)) for key in asked["networks"][:MAX_NETWORKS]]
        point = parse_point(asked["point"])
        owner, slot = _looker(request)
        centre, answer = looks.ask_values(
            owner=owner, networks=networks, point=point, slot=f"{slot} centre", admit=admission(request)
        )
    except LooksBusyError as error:
        return _refused(str(error), HTTPStatus.TOO_MANY_REQUESTS, retry_after=error.retry_after)
    except (ConfigError, LookRefusedError) as error:
        return _refused(str(error), HTTPStatus.UNPROCESSABLE_ENTITY)
    except (ValueError, KeyError, TypeError, RecursionError):
        return _refused(_(_NOT_SHOWN), HTTPStatus.UNPROCESSABLE_ENTITY)
    if answer.problem:
        return _refused(answer.problem, HTTPStatus.UNPROCESSABLE_ENTITY)
    return JsonResponse(
        {"centre": centre.as_json() if centre else None},
        status=HTTPStatus.OK if centre else HTTPStatus.ACCEPTED,
        headers={"Cache-Control": "private, no-store"},
    )


@require_safe
def serve_look(request: HttpRequest, handle: str, name: str, number: int, key: str) -> HttpResponseBase:
    """Serve a picture of a version's network, to whoever may see the model."""
    # One query, and none for the session where the model is everybody's: a page asks for a hundred of them.
    files = ModelFile.objects.filter(
        path=GENERATOR_FILE,
        version__number=number,
        version__model__name=name,
        version__model__owner__handle=handle,
    ).values_list(
        "sha256", "version__model__visibility", "version__model__withdrawn_at", "version__model__owner"
    )
    found = files.first()
    if found is None:
        raise Http404
    sha256, visibility, withdrawn_at, owner_id = found
    is_open = visibility != Visibility.PRIVATE and withdrawn_at is None
    if not is_open and not _reached(request, owner_id, name):
        raise Http404
    return _picture(request, sha256, key)


@require_safe
def serve_network_look(request: HttpRequest, network: str, key: str) -> HttpResponseBase:
    """Serve a picture of a network that is no model yet, to whoever may see it."""
    return _picture(request, _network(request, network).sha256, key)


def _reached(request: HttpRequest, owner_id: uuid.UUID, name: str) -> bool:
    reached = CatalogModel.objects.reachable_by(request.user)
    return bool(reached.filter(owner=owner_id, name=name).exists())


def _picture(request: HttpRequest, sha256: str, key: str) -> HttpResponseBase:
    try:
        return serve_file(request, storage_key(sha256, key), content_type=CONTENT_TYPE, immutable=True)
    except Http404:
        forget_picture(key)
        response = HttpResponse(status=HTTPStatus.NOT_FOUND)
        response["Retry-After"] = "1"
        response["Cache-Control"] = "private, no-store"
        return response


def _map_page(request: AccountHttpRequest, network: Network) -> HttpResponse:
    view, problem = maps.read_view(request.GET.dict(), network, request.user)
    sheet = looks.tiles_of(network, view.map, _from_the_middle(view))
    try:
        answer = _ask(request, [sheet])
    except LooksBusyError as error:
        answer = looks.Answer(keys=sheet.keys, made=looks.made_of([sheet]), problem=str(error))
    fixed = {"v": request.GET["v"]} if network.version and "v" in request.GET else {}
    context = {
        "network": network,
        "networks": [network],
        "beside": _beside(network),
        "is_newest": "v" not in fixed,
        "problem": problem,
        "is_building": len(answer.made) < len(answer.keys) and not answer.problem,
        "config": map_config(request, [network], view, fixed=fixed),
        "grid": _grid(network, view, sheet, answer, fixed),
        "pages": _pages(view, fixed),
        **map_settings(network, view, fixed),
        **tray_context(request.user, network),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK
    return render(request, "generation/map_detail.html", context, status=status)


def map_config(
    request: HttpRequest, networks: Sequence[Network], view: maps.View, *, fixed: Mapping[str, str]
) -> dict[str, Any]:
    """What static/js/map.js has to know; `fixed` is what stays in the page's address."""
    x, y, zoom = view.place
    return {
        "ask": reverse("generation:tiles_ask"),
        "centre": reverse("generation:centre_find"),
        "token": get_token(request),
        "networks": [network.key for network in networks],
        "resolution": networks[0].resolution,
        "map": view.map.as_json(),
        "point": str(view.saved or ""),
        "fixed": fixed,
        "follows": True,
        "x": x,
        "y": y,
        "zoom": zoom,
    }


def map_settings(network: Network, view: maps.View, fixed: Mapping[str, str]) -> dict[str, Any]:
    """What the form shows that changes a map."""
    shown = view.map
    names = points.direction_names(network.version) if network.version else {}
    count = min(maps.AXES, points.count_directions(network.info))
    hidden: list[tuple[str, Any]] = [*fixed.items(), *zip("xyz", view.place, strict=True)]
    if view.saved is not None:
        hidden.append(("point", view.saved))
    elif shown.centre is not None:
        hidden.append(("centre", json.dumps(shown.centre.as_json(), separators=(",", ":"))))
    right, down = shown.axes or (None, None)
    return {
        "axes": [
            (number, names.get(number) or _("Direction %(number)d") % {"number": number + 1})
            for number in range(count)
        ],
        "form": {"t": shown.truncation, "d": shown.distance, "ax": right, "ay": down, "seed": shown.seed},
        "hidden": hidden,
        "pin_url": pin_url(network),
    }


def _grid(
    network: Network, view: maps.View, sheet: Sheet, answer: looks.Answer, fixed: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The grid that is shown without JavaScript: each tile with its address and what a click leads to."""
    keys = dict(zip(_from_the_middle(view), sheet.keys, strict=True))
    return [
        {
            "tile": tile,
            "url": looks.look_url(network, keys[tile]) if keys[tile] in answer.made else "",
            "to": _to(maps.View(map=view.map, tile=tile, saved=view.saved), fixed),
        }
        for tile in view.tiles()
    ]


def _beside(network: Network) -> str:
    """The address at which a network is seen beside the one before it, or the next; "" without another."""
    keys = [key for key, _label in siblings_of(network)]
    if len(keys) < 2 or network.key not in keys:
        return ""
    place = keys.index(network.key)
    first, second = keys[max(0, place - 1)], keys[max(1, place)]
    return f"{reverse('generation:map_beside')}?{urlencode({'a': first, 'b': second}, safe=':')}"


def _from_the_middle(view: maps.View) -> list[Tile]:
    """The tiles that a page comes with in the order in which they are made."""
    x, y, _zoom = view.place
    return sorted(view.tiles(), key=lambda tile: math.hypot(tile.x - x, tile.y - y))


def _pages(view: maps.View, fixed: Mapping[str, str]) -> dict[str, str]:
    """The addresses around what is shown: a page further to each side, a level nearer and farther."""
    across, down = maps.COLUMNS - 1, maps.ROWS - 1
    steps = {"left": (-across, 0), "right": (across, 0), "up": (0, -down), "down": (0, down)}
    found = {name: _to(view.moved(*step), fixed) for name, step in steps.items()}
    found["home"] = _to(maps.View(map=view.map, saved=view.saved), fixed)
    for name, levels in (("nearer", 1), ("farther", -1)):
        try:
            found[name] = _to(view.zoomed(levels), fixed)
        except ConfigError:
            found[name] = ""
    return found


def _to(view: maps.View, fixed: Mapping[str, str]) -> str:
    """The address of a view of the same map page."""
    return "?" + "&".join(filter(None, [urlencode(fixed), view.query()]))


def _ask(request: HttpRequest, sheets: list[Sheet], *, again: bool = False) -> looks.Answer:
    """Ask in the name of whoever looks, or of the studio for somebody who is not signed in."""
    owner, slot = _looker(request)
    again = again and isinstance(request.user, User)
    return looks.ask_sheets(owner=owner, slot=slot, sheets=sheets, again=again, admit=admission(request))


def _looker(request: HttpRequest) -> tuple[User, str]:
    """In whose name pictures are made for a request, and for which of their pages. Raises LooksBusyError."""
    if isinstance(request.user, User):
        return request.user, "map"
    address = hashlib.sha256(get_ip(request).encode()).hexdigest()[:32]
    return looks.visitors_account(), f"visitor {address}"


def _read_body(request: HttpRequest) -> bytes:
    if int(request.headers.get("Content-Length") or 0) > MAX_ASKED_BYTES:
        raise ValueError("too long")
    return request.body


def _read_asked(request: HttpRequest) -> dict[str, Any]:
    asked = json.loads(_read_body(request))
    if not 1 <= len(asked["networks"]) <= MAX_NETWORKS or not isinstance(asked["networks"], list):
        raise ValueError("one network, or two")
    if not 1 <= len(asked["tiles"]) * len(asked["networks"]) <= looks.MAX_WANTED:
        raise LookRefusedError(_("That is too much to show at once. Make the window smaller, then go on."))
    checked: dict[str, Any] = asked
    return checked


def _refused(problem: str, status: int, *, retry_after: int = 0) -> JsonResponse:
    response = JsonResponse({"problem": problem}, status=status)
    if retry_after:
        response["Retry-After"] = str(retry_after)
    return response


def _base(network: Network) -> str:
    """What the address of each of a network's pictures begins with."""
    nothing = "0" * 64
    return looks.look_url(network, nothing).removesuffix(f"{nothing}.webp")


def _network(request: HttpRequest, key: str) -> Network:
    network = find_network(key, request.user)
    if network is None:
        raise Http404
    return network


def _network_of_model(model: CatalogModel, number: str) -> Network:
    """The network of a model's version with this number, by default of the newest one."""
    versions = model.versions.order_by("-number")
    if number:
        versions = versions.filter(number=int(number) if number.isdecimal() and len(number) < 9 else 0)
    version = versions.first()
    if version is None or model.family not in FAMILIES:
        raise Http404
    version.model = model
    return network_of(version)
