"""Ordering pictures and watching them come."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.middleware import AccountHttpRequest
from accounts.models import User
from billing.exceptions import AccountBlocked, CreditsShort
from catalog.selectors import runnable_models
from generation import services
from generation.exceptions import TooManyWaitingError
from generation.forms import DEFAULT_COUNT, GenerateForm, seed_values
from generation.models import Generation
from generation.remix import page_values
from generation.results import result_context
from generation.seeds import MAX_COUNT, parse_seeds
from generation.selectors import latest_generations
from generation.text_forms import TextForm
from generation.text_views import form_context
from jobs.http import answers_unchanged_polls, poll_response
from jobs.services import stop_job

# Fields of the form that a link may fill in (Remix, "Make images" on a model's page).
LINKED_FIELDS = ("model", "count", "first_seed", "seeds", "truncation_psi")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def create_from_seeds(request: AccountHttpRequest) -> HttpResponse:
    """Show the form, filled from the query; order what it asks for."""
    if request.htmx.target == "make":
        return render(request, "generation/generation_form.html#make", _button(_count(request)))
    if request.method != "POST":
        linked = {name: request.GET[name][:1000] for name in LINKED_FIELDS if name in request.GET}
        if linked.get("seeds") and _count(request):
            linked["count"] = str(_count(request))
        return _form_page(request, GenerateForm(user=_user(request), initial=linked))
    form = GenerateForm(request.POST, user=_user(request))
    if not form.is_valid():
        return _form_page(request, form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    order = form.order()
    try:
        generation = services.start_generation(
            owner=_user(request),
            version=order.version,
            seeds=order.seeds,
            truncation_psi=order.truncation_psi,
        )
    except TooManyWaitingError as error:
        form.add_error(None, str(error))
        response = _form_page(request, form, status=HTTPStatus.TOO_MANY_REQUESTS)
        response["Retry-After"] = str(error.retry_after)
        return response
    except (CreditsShort, AccountBlocked) as error:
        return _form_page(request, form, problem=error, status=HTTPStatus.PAYMENT_REQUIRED)
    return redirect("generation:generation_detail", pk=generation.pk)


def _form_page(
    request: AccountHttpRequest,
    form: GenerateForm,
    *,
    problem: Exception | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    context = {**_page_context(request, form), **_button(_count(request)), "problem": problem}
    return render(request, "generation/generation_create.html", context, status=status)


def _page_context(
    request: AccountHttpRequest, form: GenerateForm, *, shown: Generation | None = None
) -> dict[str, Any]:
    """What every page with the form shows: the models to choose from and what was made last."""
    models = list(runnable_models(request.user)[:MAX_MODELS_SHOWN])
    chosen = form["model"].value() or ""
    addresses = {version.model.address for version in models}
    return {
        "form": form,
        "models": models,
        "chosen": chosen if chosen in addresses else (models[0].model.address if models else ""),
        "is_unknown_model": bool(chosen) and chosen not in addresses,
        "history": latest_generations(_user(request), but=shown),
    }


# As many as fit a page of thumbnails; others are reached from their own page.
MAX_MODELS_SHOWN = 48


def _button(count: int) -> dict[str, int]:
    """Return what the button says: how many images for how many credits, 0 where nothing is priced."""
    return {"count": count, "credits": services.quote_generation(count).credits}


def _count(request: AccountHttpRequest) -> int:
    """Return how many images the form asks for as it stands: what the button says."""
    values = request.POST or request.GET
    if values.get("seeds", "").strip():
        try:
            return len(parse_seeds(values["seeds"][:1000]))
        except ValueError:
            return 0
    count = values.get("count", str(DEFAULT_COUNT))
    is_number = count.isdecimal() and len(count) < 4 and 1 <= int(count) <= MAX_COUNT
    return int(count) if is_number else 0


@answers_unchanged_polls(Generation)
@require_safe
@login_required
def show_generation(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Show an order with its pictures as they come; `?rev=N` polls, `have` says how many the page shows."""
    generation = _own_generation(request, pk)
    shown = result_context(request, generation)

    def page() -> HttpResponse:
        if request.htmx:
            return render(request, "generation/generation_result.html#live", shown)
        if generation.is_from_text:
            form = TextForm(user=_user(request), initial=page_values(generation))
            context = {**form_context(form), "history": latest_generations(_user(request), but=generation)}
            return render(request, "generation/text_create.html", {**context, **shown})
        return render(
            request, "generation/generation_detail.html", {**_seeds_page(request, generation), **shown}
        )

    return poll_response(request, shown["progress"], page)


def _seeds_page(request: AccountHttpRequest, generation: Generation) -> dict[str, Any]:
    """What the page of an order from seeds shows besides its result: the form for more."""
    values = seed_values(generation)
    initial = {"model": values["model"], "truncation_psi": values["truncation_psi"]}
    form = GenerateForm(user=_user(request), initial={**initial, "count": generation.count})
    return {
        **_page_context(request, form, shown=generation),
        **_button(generation.count),
        "seeds": values["seeds"],
    }


@require_POST
@login_required
def stop_generation(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Stop an order; what is made already stays."""
    stop_job(job=_own_generation(request, pk).job)
    return redirect("generation:generation_detail", pk=pk)


def _own_generation(request: AccountHttpRequest, pk: UUID) -> Generation:
    generations = Generation.objects.owned_by(request.user)
    generations = generations.select_related(
        "job__price", "model_version__model__owner", "adapter__model__owner"
    )
    generation: Generation = get_object_or_404(generations, pk=pk)
    return generation


def _user(request: AccountHttpRequest) -> User:
    assert isinstance(request.user, User)  # behind login_required
    return request.user
