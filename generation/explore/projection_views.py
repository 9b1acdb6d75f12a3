"""Pages of projections: choosing a photograph, watching the search, what came of it."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.files import serve_file
from accounts.middleware import AccountHttpRequest
from accounts.models import User
from billing.exceptions import AccountBlocked, CreditsShort
from billing.views.requests import lead_to_credits
from catalog.generators import Network
from generation.exceptions import PointRefusedError, TooManyWaitingError
from generation.explore import projections
from generation.explore.addressed import network_at
from generation.explore.projection_forms import DEFAULT_STEPS, MAX_STEPS, MIN_STEPS, ProjectionForm
from generation.models import Projection
from jobs.estimates import is_served
from jobs.exceptions import MoveRefusedError
from jobs.http import answers_unchanged_polls, poll_response
from jobs.models import Queue, State
from jobs.progress import read_progress
from jobs.services import resume_job, stop_job

# Earlier projections that the page of the form shows.
SHOWN = 12


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def create_projection(request: AccountHttpRequest, handle: str, name: str) -> HttpResponse:
    """Show the form for a photograph to look for in a model; order what it asks for."""
    network = network_at(request, handle, name)
    if request.htmx.target == "make":
        return render(
            request, "generation/projection_create.html#make", _button(request.GET.get("steps", ""))
        )
    if request.method != "POST":
        return _form_page(request, network, ProjectionForm(network=network))
    form = ProjectionForm(request.POST, request.FILES, network=network)
    if not form.is_valid():
        return _form_page(request, network, form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    return _order(request, network, form)


def _order(request: AccountHttpRequest, network: Network, form: ProjectionForm) -> HttpResponse:
    """Order what a valid form asks for, or show it again with the reason why not."""
    try:
        projection = projections.start_projection(
            owner=_user(request),
            network=network,
            target=form.target(),
            title=form.title_or_name(),
            config=form.config(),
        )
    except (PointRefusedError, TooManyWaitingError) as error:
        form.add_error(None, str(error))
        if isinstance(error, PointRefusedError):
            return _form_page(request, network, form, status=HTTPStatus.CONFLICT)
        response = _form_page(request, network, form, status=HTTPStatus.TOO_MANY_REQUESTS)
        response["Retry-After"] = str(error.retry_after)
        return response
    except (CreditsShort, AccountBlocked) as problem:
        return _form_page(request, network, form, problem=problem, status=HTTPStatus.PAYMENT_REQUIRED)
    return redirect(projection)


def _form_page(
    request: AccountHttpRequest,
    network: Network,
    form: ProjectionForm,
    *,
    problem: Exception | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    earlier = Projection.objects.owned_by(request.user).filter(version=network.version)
    context = {
        "network": network,
        "form": form,
        "problem": problem,
        "earlier": earlier.select_related("job")[:SHOWN],
        **_button(form["steps"].value()),
    }
    return render(request, "generation/projection_create.html", context, status=status)


def _button(told: Any) -> dict[str, int]:
    """What the button says: the credits for so many steps."""
    text = str(told)
    steps = int(text) if text.isdecimal() and len(text) < 5 else DEFAULT_STEPS
    return {"credits": projections.quote_projection(min(max(steps, MIN_STEPS), MAX_STEPS)).credits}


@answers_unchanged_polls(Projection)
@require_safe
@login_required
def show_projection(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Show how near a search has come; `?rev=N` polls."""
    projection = _own_projection(request, pk)
    job, progress = projection.job, read_progress(projection.job)
    context = {
        "projection": projection,
        "job": job,
        "progress": progress,
        "has_floor": "floor" in projection.figures,
        "figures": projections.figures_of(projection),
        "verdict": projections.verdict_of(projection),
        "is_unserved": job.state == State.QUEUED and not is_served(Queue.GENERATE),
        "can_resume": job.state in (State.STOPPED, State.FAILED) and projection.version is not None,
    }
    template = "generation/projection_detail.html"
    return poll_response(
        request, progress, lambda: render(request, f"{template}#live" if request.htmx else template, context)
    )


@require_POST
@login_required
def stop_projection(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Stop a search; what it has found is kept."""
    stop_job(job=_own_projection(request, pk).job)
    return redirect("generation:projection_detail", pk=pk)


@require_POST
@login_required
def resume_projection(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Let a search that was stopped or has failed go on from where it stood."""
    try:
        resume_job(job=_own_projection(request, pk).job)
    except (CreditsShort, AccountBlocked) as error:
        return lead_to_credits(request, error, back=reverse("generation:projection_detail", args=[pk]))
    except MoveRefusedError as error:
        messages.error(request, str(error))
    return redirect("generation:projection_detail", pk=pk)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def delete_projection(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Ask, then delete a projection with its pictures; the point that it found stays."""
    projection, refusal = _own_projection(request, pk), ""
    if request.method == "POST":
        try:
            projections.delete_projection(projection=projection)
        except PointRefusedError as error:
            refusal = str(error)
        else:
            messages.success(request, _("Deleted the projection."))
            return redirect("generation:map_list")
    status = HTTPStatus.CONFLICT if refusal else HTTPStatus.OK
    context = {"projection": projection, "refusal": refusal}
    return render(request, "generation/projection_delete.html", context, status=status)


@require_safe
@login_required
def serve_projection_picture(request: AccountHttpRequest, pk: UUID, step: int) -> HttpResponseBase:
    """Serve the picture of a step; of step 0 the square that is searched for."""
    projection = _own_projection(request, pk)
    if step == 0:
        return serve_file(request, projection.target, content_type="image/png", immutable=True)
    key = next((one["file"] for one in projection.steps if one["step"] == step), "")
    return serve_file(request, key, content_type="image/webp", immutable=True)


def _own_projection(request: AccountHttpRequest, pk: UUID) -> Projection:
    found = Projection.objects.owned_by(request.user)
    found = found.select_related("job__price", "version__model__owner", "found")
    projection: Projection = get_object_or_404(found, pk=pk)
    return projection


def _user(request: AccountHttpRequest) -> User:
    assert isinstance(request.user, User)  # behind login_required
    return request.user
