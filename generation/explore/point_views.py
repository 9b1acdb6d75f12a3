"""Pages of points: the tray of a model, one point with its sliders and its mixes, names of directions."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.middleware import AccountHttpRequest
from accounts.models import User
from billing.exceptions import AccountBlocked, CreditsShort
from billing.views.requests import lead_to_credits
from catalog.generators import Network, find_network
from catalog.registry import training_indexes
from generation.exceptions import PointRefusedError, TooManyWaitingError
from generation.explore import points
from generation.explore.addressed import map_url, network_at, pin_url
from generation.explore.cache import find_made
from generation.explore.opened import open_point, see_shape, see_whole
from generation.explore.point_orders import order_picture
from generation.explore.shaping import SLIDERS
from generation.explore.tray import tray_context
from generation.models import SavedPoint
from generation.services import quote_generation

# Pictures that a page asks for at a time while they are made.
MOST_ASKED = 40


@require_safe
def show_point(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Show a point as the query changes it; htmx gets the picture alone. `?in=` names another network."""
    opened = open_point(request.user, pk, request.GET.dict())
    status = HTTPStatus.UNPROCESSABLE_ENTITY if opened.is_refused else HTTPStatus.OK
    version = opened.network.version
    is_model_owner = version is not None and opened.network.owner_id == request.user.pk
    context: dict[str, Any] = {
        "opened": opened,
        "saved": opened.saved,
        "network": opened.network,
        "form": opened.form,
        "is_model_owner": is_model_owner,
        "can_search": is_model_owner and version is not None and bool(training_indexes(version)),
    }
    if request.htmx:
        seen = see_shape(request, opened)
        response = render(
            request, "generation/point_detail.html#shown", {**context, "seen": seen}, status=status
        )
        response["HX-Replace-Url"] = opened.address
        return response
    context |= {
        **see_whole(request, opened),
        "map_url": map_url(opened.network),
        "pin_url": pin_url(opened.network),
        "is_own": opened.saved.owner_id == request.user.pk,
        "credits": quote_generation(1).credits,
        "relatives": points.relatives_of(opened.own, request.user),
        "share_url": request.build_absolute_uri(opened.saved.get_absolute_url()),
    }
    return render(request, "generation/point_detail.html", context, status=status)


@require_safe
def tell_made(request: HttpRequest, key: str) -> JsonResponse:
    """Say which of the pictures `keys` of a network are there by now: what pages ask while they wait."""
    network = find_network(key, request.user)
    if network is None:
        raise Http404
    asked = request.GET.get("keys", "").replace("\0", "").split(",")[:MOST_ASKED]
    made = find_made(network.sha256, asked)
    return JsonResponse({"made": sorted(made)}, headers={"Cache-Control": "private, no-store"})


@require_POST
@login_required
def create_point(request: AccountHttpRequest, handle: str, name: str) -> HttpResponse:
    """Pin a point (`point`, JSON) in one's own tray of a model; htmx gets the tray."""
    return _pin(request, network_at(request, handle, name))


@require_POST
@login_required
def create_network_point(request: AccountHttpRequest, key: str) -> HttpResponse:
    """Pin a point (`point`, JSON) in one's own tray of a training, or of any network by its key."""
    network = find_network(key, request.user)
    if network is None:
        raise Http404
    return _pin(request, network)


def _pin(request: AccountHttpRequest, network: Network) -> HttpResponse:
    try:
        saved = points.save_point(
            owner=_user(request),
            network=network,
            point=points.read_point(request.POST.get("point", "")),
            title=request.POST.get("title", ""),
        )
    except PointRefusedError as error:
        if request.htmx:
            return _tray(request, network, not_pinned=str(error))
        messages.error(request, str(error))
        return _back(request, network)
    if request.htmx:
        return _tray(request, network, newest=saved)
    messages.success(request, _("Pinned: %(title)s.") % {"title": saved.title})
    return redirect(saved)


def _tray(request: AccountHttpRequest, network: Network, **told: Any) -> HttpResponse:
    """Return the tray; the page puts it where it stands."""
    context = {**tray_context(request.user, network), **told}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if told.get("not_pinned") else HTTPStatus.OK
    return render(request, "generation/point_tray.html", context, status=status)


def _back(request: HttpRequest, network: Network) -> HttpResponse:
    """Lead to where the form says it stands, if that is here; else to the model."""
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}):
        back = network.home
    return redirect(back)


@require_POST
@login_required
def change_point(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Rename a point (`title`), share it (`shared=1`) or share it no longer (`shared=0`)."""
    saved = _own_point(request, pk)
    points.rename_point(point=saved, title=request.POST.get("title", ""))
    if request.POST.get("shared") in {"0", "1"}:
        points.share_point(point=saved, is_shared=request.POST["shared"] == "1")
    return redirect(saved)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def delete_point(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Ask, then delete a point; htmx gets the tray of `in` without it."""
    saved = _own_point(request, pk)
    if request.method != "POST":
        return render(request, "generation/point_delete.html", {"saved": saved})
    network = points.network_where_found(saved, request.user)
    home = network.home if network else reverse("generation:map_list")
    saved.delete()
    if request.htmx:
        network = find_network(request.POST.get("in", ""), request.user)
        if network is None:
            raise Http404
        return _tray(request, network)
    messages.success(request, _("Deleted the point."))
    return redirect(home)


@require_POST
@login_required
def name_directions(request: AccountHttpRequest, handle: str, name: str) -> HttpResponse:
    """Name the directions of an own model: `name_0`, `name_1`, ..."""
    network = network_at(request, handle, name)
    if network.owner_id != request.user.pk or network.version is None:
        raise Http404
    count = min(SLIDERS, points.count_directions(network.info))
    sent = {number: request.POST.get(f"name_{number}") for number in range(count)}
    names = {number: title for number, title in sent.items() if title is not None}
    points.name_directions(version=network.version, names=names)
    messages.success(request, _("The names are kept. Everybody who sees the model reads them."))
    return _back(request, network)


@require_POST
@login_required
def keep_picture(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Order the picture of a point (`point`, JSON) as the network `in` shows it, for the gallery."""
    saved = get_object_or_404(points.points_shown_to(request.user), pk=pk)
    key = request.POST.get("in", "")
    network = find_network(key, request.user) if key else points.network_where_found(saved, request.user)
    if network is None or network.version is None:
        raise Http404
    try:
        point = points.read_point(request.POST.get("point", ""))
        order = order_picture(owner=_user(request), network=network, point=point, saved=saved)
    except (CreditsShort, AccountBlocked) as error:
        return lead_to_credits(request, error, back=saved.get_absolute_url())
    except (PointRefusedError, TooManyWaitingError) as error:
        messages.error(request, str(error))
        return redirect(saved)
    return redirect("generation:generation_detail", pk=order.pk)


def _own_point(request: HttpRequest, pk: UUID) -> SavedPoint:
    found = SavedPoint.objects.owned_by(request.user).select_related("version__model__owner")
    saved: SavedPoint = get_object_or_404(found, pk=pk)
    return saved


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # behind login_required
    return request.user
