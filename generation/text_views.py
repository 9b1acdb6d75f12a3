"""Text to Image: the page with its form, what is said while one writes, and ordering."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.files import serve_file
from accounts.middleware import AccountHttpRequest
from accounts.models import User
from billing.exceptions import AccountBlocked, CreditsShort
from billing.views.requests import lead_to_credits
from generation.exceptions import CannotUpscaleError, StartRefusedError, TooManyWaitingError
from generation.hints import hints_for
from generation.models import Generation, Picture
from generation.prompts import Keyword, switch_keyword
from generation.recall import values_of_file, values_of_text
from generation.remix import linked_values
from generation.results import result_context
from generation.selectors import latest_generations
from generation.services import priced_units, quote_generation
from generation.text_forms import DEFAULT_OUTPUTS, TextForm, UpscaleForm, fits
from generation.text_services import start_larger_copy, start_text_generation, start_upscale
from generation.upscaling import FACTORS
from jobs.estimates import is_served
from jobs.models import Queue

FORM = "generation/text_form.html"
PAGE = "generation/text_create.html"


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def create_from_text(request: AccountHttpRequest) -> HttpResponse:
    """Show the form, filled from a link; order what it asks for. htmx gets the order's result alone.

    Links that name a model of seeds lead to the form for those.
    """
    user = _user(request)
    if request.method == "POST":
        form = TextForm(request.POST, request.FILES, user=user)
        return _order(request, form, lambda: start_text_generation(owner=user, order=form.order()))
    if "model" in request.GET:
        return redirect(f"{reverse('generation:seeds_create')}?{request.GET.urlencode()}")
    return _answer(request, TextForm(user=user, initial=linked_values(user, request.GET)))


def _order(request: AccountHttpRequest, form: TextForm, start: Callable[[], Generation]) -> HttpResponse:
    """Have `start` order what a valid form asks for, or return the form with what is wrong."""
    if not form.is_valid():
        return _answer(request, form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        generation = start()
    except TooManyWaitingError as error:
        form.add_error(None, str(error))
        return _too_many(request, form, error)
    except (CreditsShort, AccountBlocked) as error:
        return _answer(request, form, problem=error, status=HTTPStatus.PAYMENT_REQUIRED)
    url = reverse("generation:generation_detail", args=[generation.pk])
    if not request.htmx:
        return redirect(url)
    context = {
        **result_context(request, generation),
        "history": latest_generations(_user(request), but=generation),
    }
    if "was_refused" in request.POST:  # what the form says of the last try goes
        context |= {**form_context(_as_it_stands(request)), "is_cleared": True}
    response = render(request, f"{PAGE}#ordered", context)
    response["HX-Push-Url"] = url
    return response


def _too_many(request: AccountHttpRequest, form: TextForm, error: TooManyWaitingError) -> HttpResponse:
    if request.htmx:
        response = HttpResponse(
            format_html("<p data-error>{}</p>", str(error)), status=HTTPStatus.TOO_MANY_REQUESTS
        )
    else:
        response = _answer(request, form, status=HTTPStatus.TOO_MANY_REQUESTS)
    response["Retry-After"] = str(error.retry_after)
    return response


@require_POST
@login_required
def tell_hints(request: AccountHttpRequest) -> HttpResponse:
    """Say what there is to say about the form as it stands: price, keyword, what is not read or not known.

    `switch=adapter` puts the chosen trained model's keyword into the prompt in place of another's,
    `switch=base` follows a base that was changed, and `instead=start:end:word` puts a word in place of
    another; then the whole form comes back.
    """
    form = _as_it_stands(request)
    is_changed = bool({"switch", "instead"} & request.POST.keys())
    if is_changed:
        form = TextForm(user=_user(request), initial={**form.initial, **_changed(form, request)})
    if is_changed or not request.htmx:
        return _answer(request, form)
    return render(request, f"{FORM}#live", form_context(form))


@require_POST
@login_required
def recall_settings(request: AccountHttpRequest) -> HttpResponse:
    """Put the settings into the form that a picture's file brings along, else those in its prompt."""
    form, user, file = _as_it_stands(request), _user(request), request.FILES.get("settings_from")
    try:
        told = values_of_file(user, file) if file else values_of_text(user, form.initial.get("prompt", ""))
    except StartRefusedError as error:
        return _answer(request, form, refused=str(error), status=HTTPStatus.UNPROCESSABLE_ENTITY)
    return _answer(request, TextForm(user=user, initial={**form.initial, **told}))


def _as_it_stands(request: AccountHttpRequest) -> TextForm:
    """Return the form with what was sent, unjudged."""
    values = {name: request.POST[name] for name in TextForm.base_fields if name in request.POST}
    return TextForm(user=_user(request), initial=values)


def _changed(form: TextForm, request: AccountHttpRequest) -> dict[str, str]:
    """Return the values that a switch or a better word changes."""
    prompt = form.initial.get("prompt", "")
    instead = request.POST.get("instead", "").split(":", 2)
    if len(instead) == 3 and instead[0].isdecimal() and instead[1].isdecimal():
        start, end = int(instead[0][:6]), int(instead[1][:6])
        return {"prompt": f"{prompt[:start]}{instead[2]}{prompt[end:]}"}
    base, adapter = form.chosen_base, form.chosen_adapter
    changed: dict[str, str] = {}
    if base is not None and adapter is not None and not fits(adapter, base):
        if request.POST.get("switch") == "base":
            adapter = None
            changed["adapter"] = ""
        else:
            fitting = [one.model.address for one in form.bases if fits(adapter, one)]
            changed["base"] = fitting[0] if fitting else base.model.address
    chosen = Keyword.of(adapter) if adapter else None
    others = [Keyword.of(version) for version in form.trained]
    return {**changed, "prompt": switch_keyword(prompt, chosen, others)}


def _answer(
    request: AccountHttpRequest,
    form: TextForm,
    *,
    problem: Exception | None = None,
    refused: str = "",
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    """Return the page, or for htmx the form alone, which takes the place of the one that was sent.

    `problem`: why it cannot be paid for; `refused`: why a file's settings cannot be taken over.
    """
    context = {**form_context(form), "problem": problem, "settings_refused": refused}
    context["form_page"] = reverse("generation:generation_create")
    if request.htmx:
        response = render(request, FORM, context, status=status)
        response["HX-Retarget"], response["HX-Reswap"] = "#order", "outerHTML"
        return response
    context |= {
        "history": latest_generations(_user(request)),
        "is_unserved": not is_served(Queue.GENERATE),
    }
    return render(request, PAGE, context, status=status)


def form_context(form: TextForm) -> dict[str, Any]:
    """Return what the form shows beside its fields."""
    prompt = str(form["prompt"].value() or "")
    count = _count(form)
    adapter = form.chosen_adapter
    quote = quote_generation(count)
    return {
        "form": form,
        "bases": form.bases,
        "trained": [(version, Keyword.of(version)) for version in form.trained],
        "chosen_base": form.chosen_base,
        "chosen_adapter": adapter,
        "is_unknown_model": form.names_unknown_model,
        "hints": hints_for(prompt, base=form.chosen_base, adapter=adapter, style=form.chosen_style),
        "count": count,
        "size": form.size_shown,
        "credits": quote.credits,
        "upscale_credits": quote.price.for_quantity(priced_units(1)) if quote.price else 0,
        "start": form.chosen_picture or form.sent_key or form.kept_order,
    }


def _count(form: TextForm) -> int:
    """Return how many images the form asks for as it stands: what the button says. 0: that is not clear."""
    text = str(form["count"].value() or DEFAULT_OUTPUTS)
    most: int = settings.GENERATION_OUTPUTS_MAX
    is_number = text.isdecimal() and len(text) < 4 and 1 <= int(text) <= most
    return int(text) if is_number else 0


@require_POST
@login_required
def upscale_start(request: AccountHttpRequest) -> HttpResponse:
    """Order the picture of the form made larger (`factor`); the answers are those to an order."""
    user = _user(request)
    form = UpscaleForm(request.POST, request.FILES, user=user)
    return _order(
        request,
        form,
        lambda: start_larger_copy(
            owner=user, upscale=form.cleaned_data["upscale"], start=form.cleaned_data["start"]
        ),
    )


@require_POST
@login_required
def upscale_picture(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Order a picture made `factor` times as large."""
    pictures = Picture.objects.owned_by(request.user).select_related("generation")
    picture: Picture = get_object_or_404(pictures, pk=pk)
    factor = request.POST.get("factor", "")
    if factor not in map(str, FACTORS):
        raise BadRequest("factor")
    try:
        generation = start_upscale(owner=_user(request), picture=picture, factor=int(factor))
    except (CreditsShort, AccountBlocked) as error:
        return lead_to_credits(request, error, back=reverse("generation:picture_detail", args=[pk]))
    except (CannotUpscaleError, TooManyWaitingError) as error:
        messages.error(request, str(error))
        return redirect("generation:picture_detail", pk=pk)
    return redirect("generation:generation_detail", pk=generation.pk)


@require_safe
@login_required
def serve_start(request: AccountHttpRequest, pk: UUID, part: str) -> HttpResponseBase:
    """Serve the picture that an order started from, or its mask."""
    generation: Generation = get_object_or_404(Generation.objects.owned_by(request.user), pk=pk)
    key = generation.source_file if part == "source" else generation.mask_file
    return serve_file(request, key, content_type="image/png", filename=f"{part}.png", immutable=True)


def _user(request: AccountHttpRequest) -> User:
    assert isinstance(request.user, User)  # behind login_required
    return request.user
