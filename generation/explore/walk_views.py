"""Pages of walks: choosing points and pace, the film, all that one has made."""

from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.files import serve_file
from accounts.middleware import AccountHttpRequest
from accounts.models import User
from billing.exceptions import AccountBlocked, CreditsShort
from catalog.addresses import reached_model
from catalog.generators import Network, network_of
from catalog.models import CatalogModel
from engines.errors import EngineError
from engines.manifest import FAMILIES
from engines.stylegan.walking import MAX_POINTS, Walk, parse_walk
from generation.exceptions import LookRefusedError, TooManyWaitingError, WalkRefusedError
from generation.explore import points as kept
from generation.explore import walks
from generation.explore.admission import admission
from generation.explore.looks import ask_sheets, look_url
from generation.explore.tray import see
from generation.explore.walk_forms import WalkForm
from generation.explore.wanted import sheet_of_frames
from generation.models import SavedPoint
from generation.models import Walk as WalkRow
from jobs.estimates import is_served
from jobs.http import answers_unchanged_polls, poll_response
from jobs.models import Queue, State
from jobs.progress import read_progress
from jobs.services import stop_job

PAGE_SIZE = 24
PREVIEW_TARGET = "walk-preview"
_VALUE_LENGTH = 100


@dataclass(frozen=True)
class Plan:
    """A walk that is being put together: the network, the points in their order, and the form."""

    network: Network
    tray: list[SavedPoint]
    way: list[SavedPoint]
    form: WalkForm

    @classmethod
    def read(cls, user: User, network: Network, asked: QueryDict) -> "Plan":
        """Read what a page or a link asks for; points that are not in the user's tray are left out."""
        tray = kept.tray_of(user, network)
        by_id = {one.pk: one for one in tray}
        told = [*asked.getlist("point"), *asked.get("points", "").split(walks.BETWEEN)]
        order = walks.change_order(walks.as_ids(told), asked.get("do", ""))
        way = [by_id[pk] for pk in order if pk in by_id][: MAX_POINTS + 1]
        typed = {name: asked[name][:_VALUE_LENGTH] for name in WalkForm.base_fields if name in asked}
        form = WalkForm(typed, points=[kept.parse(one) for one in way])
        return cls(network, tray, way, form)

    @cached_property
    def walk(self) -> Walk | None:
        """The walk; None while there are too few points, or something of it cannot be."""
        return self.form.walk if self.form.is_valid() else None

    @property
    def address(self) -> str:
        """The page as it stands; short enough for a hundred points."""
        way = {"points": walks.way_of(self.way)} if self.way else {}
        query = urlencode({**way, **self.form.told})
        address = _walk_address(self.network)
        return f"{address}?{query}" if query else address


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@reached_model
def create_walk(request: AccountHttpRequest, model: CatalogModel) -> HttpResponse:
    """Put a walk together and look at it; `do=order` orders its film. The address holds all of it."""
    network = _network_of(model)
    if request.method != "POST":
        plan = Plan.read(_user(request), network, request.GET)
        if request.htmx.target == PREVIEW_TARGET:
            return render(request, "generation/walk_create.html#preview", _preview(request, plan))
        return _show(request, plan)
    plan = Plan.read(_user(request), network, request.POST)
    if request.POST.get("do") != "order":
        if not request.htmx:
            return redirect(plan.address)
        response = render(request, "generation/walk_create.html#walk", _context(request, plan))
        response["HX-Replace-Url"] = plan.address
        return response
    return _order(request, plan)


def _order(request: AccountHttpRequest, plan: Plan) -> HttpResponse:
    if plan.walk is None:
        if plan.form.is_valid():
            plan.form.add_error(None, _("A walk goes through at least two points. Add some of yours."))
        return _show(request, plan, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    chosen = plan.form.cleaned_data
    try:
        made = walks.start_walk(
            owner=_user(request),
            network=plan.network,
            walk=plan.walk,
            file_format=chosen["format"],
            title=chosen["title"],
        )
    except TooManyWaitingError as error:
        response = _show(request, plan, refusal=str(error), status=HTTPStatus.TOO_MANY_REQUESTS)
        response["Retry-After"] = str(error.retry_after)
        return response
    except WalkRefusedError as error:
        return _show(request, plan, refusal=str(error), status=HTTPStatus.CONFLICT)
    except (CreditsShort, AccountBlocked) as error:
        return _show(request, plan, problem=error, status=HTTPStatus.PAYMENT_REQUIRED)
    return redirect(made)


def _show(
    request: AccountHttpRequest, plan: Plan, *, status: int = HTTPStatus.OK, **told: Any
) -> HttpResponse:
    context = {**_context(request, plan), **told}
    return render(request, "generation/walk_create.html", context, status=status)


def _context(request: AccountHttpRequest, plan: Plan) -> dict[str, Any]:
    walk = plan.walk
    tray = see(
        request.user,
        plan.network,
        map(kept.parse, plan.tray),
        slot=f"tray {plan.network.key}",
        admit=admission(request),
    )
    seen = dict(zip((one.pk for one in plan.tray), tray, strict=True))
    return {
        **_preview(request, plan),
        "form": plan.form,
        "tray": [(one, seen[one.pk]) for one in plan.tray],
        "way": [(one, seen[one.pk]) for one in plan.way],
        "credits": walks.quote_walk(walk.frames).credits if walk else 0,
    }


def _preview(request: AccountHttpRequest, plan: Plan) -> dict[str, Any]:
    """The frames of the preview, as far as they are made; the rest is asked for."""
    context: dict[str, Any] = {"network": plan.network, "address": plan.address, "walk": plan.walk}
    if plan.walk is None:
        return context
    shown = walks.preview_of(plan.walk, plan.network.resolution)
    sheet = sheet_of_frames(plan.network.key, plan.network.sha256, shown.as_json(), range(shown.frames))
    seconds = plan.walk.frames / plan.walk.fps
    try:
        answer = ask_sheets(
            owner=_user(request),
            slot=f"walk {plan.network.key}",
            sheets=[sheet],
            admit=admission(request),
        )
    except LookRefusedError as error:
        return {**context, "preview_problem": str(error)}
    step = seconds / shown.frames
    return {
        **context,
        "seconds": seconds,
        "frames": [
            {"url": look_url(plan.network, key), "step": number, "label": f"{number * step:.1f} s"}
            for number, key in enumerate(sheet.keys)
        ],
        "made": len(answer.made & set(sheet.keys)),
        "is_made": answer.made >= set(sheet.keys),
        "preview_problem": answer.problem,
        "is_unserved": answer.waits and not is_served(Queue.GENERATE),
        "frame_ms": max(16, round(1000 * step)),
    }


@require_safe
@login_required
def list_walks(request: AccountHttpRequest) -> HttpResponse:
    """Show all walks of whoever asks, the newest first."""
    found = WalkRow.objects.owned_by(request.user).select_related("job")
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "generation/walk_list.html", {"page": page})


@answers_unchanged_polls(WalkRow)
@require_safe
def show_walk(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Show a walk, or how far its making is (`?rev=N` polls); to others, where it is shared."""
    row = _shown_walk(request, pk)
    progress = read_progress(row.job)
    is_own = row.owner_id == request.user.pk
    context = {
        "walk": row,
        "job": row.job,
        "progress": progress,
        "is_own": is_own,
        "plan": _plan_of(row),
        "format_title": walks.FORMATS[row.format],
        "model": row.version.model if row.version and _sees(request, row) else None,
        "can_be_shared": is_own and walks.can_be_shared(row),
        "is_unserved": row.job.state == State.QUEUED and not is_served(Queue.GENERATE),
        "share_url": request.build_absolute_uri(row.get_absolute_url()),
    }
    template = "generation/walk_detail.html#live" if request.htmx else "generation/walk_detail.html"
    return poll_response(request, progress, lambda: render(request, template, context))


def _plan_of(row: WalkRow) -> Walk | None:
    try:
        return parse_walk(row.settings)
    except EngineError:  # made by another version of the studio
        return None


def _sees(request: HttpRequest, row: WalkRow) -> bool:
    """Whether whoever asks may open the page of a walk's model."""
    reachable = CatalogModel.objects.reachable_by(request.user)
    return row.version is not None and reachable.filter(pk=row.version.model_id).exists()


@require_safe
def serve_walk(request: HttpRequest, pk: UUID, ending: str) -> HttpResponseBase:
    """Serve the file of a walk; with `?download` to be saved."""
    row = _shown_walk(request, pk)
    if ending != row.format:
        raise Http404
    return serve_file(
        request,
        row.file,
        content_type=walks.CONTENT_TYPES[row.format],
        filename=walks.file_name(row),
        immutable=True,
    )


@require_safe
def serve_poster(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """Serve the picture that stands for a walk."""
    row = _shown_walk(request, pk)
    return serve_file(request, row.poster, content_type="image/webp", immutable=True)


@require_POST
@login_required
def share_walk(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Let others open the walk's address (`on`), or no longer."""
    walks.share_walk(walk=_own_walk(request, pk), is_shared="on" in request.POST)
    return redirect("generation:walk_detail", pk)


@require_POST
@login_required
def stop_walk(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Stop the making of a walk; nothing is charged."""
    stop_job(job=_own_walk(request, pk).job)
    return redirect("generation:walk_detail", pk)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def remove_walk(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Ask, then delete a walk."""
    row, refusal = _own_walk(request, pk), ""
    if request.method == "POST":
        try:
            walks.delete_walk(walk=row)
        except WalkRefusedError as error:
            refusal = str(error)
        else:
            messages.success(request, _("Deleted the walk."))
            return redirect("generation:walk_list")
    status = HTTPStatus.CONFLICT if refusal else HTTPStatus.OK
    return render(request, "generation/walk_delete.html", {"walk": row, "refusal": refusal}, status=status)


def _walk_address(network: Network) -> str:
    assert network.version is not None
    model = network.version.model
    return reverse("generation:walk_create", args=[model.owner.handle, model.name])


def _network_of(model: CatalogModel) -> Network:
    """The network of a model's newest version, or Http404."""
    version = model.latest_version
    if version is None or model.family not in FAMILIES:
        raise Http404
    version.model = model
    return network_of(version)


def _shown_walk(request: HttpRequest, pk: UUID) -> WalkRow:
    found = walks.walks_shown_to(request.user).select_related("job__price", "version__model__owner", "owner")
    row: WalkRow = get_object_or_404(found, pk=pk)
    return row


def _own_walk(request: HttpRequest, pk: UUID) -> WalkRow:
    row: WalkRow = get_object_or_404(WalkRow.objects.owned_by(request.user).select_related("job"), pk=pk)
    return row


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # behind login_required
    return request.user
