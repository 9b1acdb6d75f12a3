"""Pages on which two models are mixed."""

from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.files import serve_file
from accounts.middleware import AccountHttpRequest
from accounts.models import User
from catalog.exceptions import MixRefusedError, TermsForbid, TooManyMixesError
from catalog.mix_forms import PairForm, TitleForm, WeightsForm
from catalog.mixes import (
    KINSHIP_WORDS,
    config_of,
    find_mixable,
    in_words,
    is_trainable,
    kinship_of,
    latest_mixes,
    mixed_terms,
    partners_of,
)
from catalog.models import ModelMix
from catalog.services.mixes import change_mix, delete_mix, make_mix, start_mix
from engines.stylegan.relatives import Kinship, MixConfig
from jobs.estimates import is_served
from jobs.http import poll_response
from jobs.models import Queue, State
from jobs.progress import read_progress

_NEXT_LENGTH = 500


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def create_mix(request: AccountHttpRequest) -> HttpResponse:
    """Choose two models, then have a first preview of their mix made."""
    if request.method != "POST":
        return _choose(request, PairForm(initial=request.GET.dict(), user=_user(request)))
    form = PairForm(request.POST, user=_user(request))
    if not form.is_valid():
        return _choose(request, form, HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        mix = start_mix(owner=_user(request), config=MixConfig(), **form.cleaned_data)
    except TooManyMixesError as error:
        form.add_error(None, str(error.message))
        response = _choose(request, form, HTTPStatus.TOO_MANY_REQUESTS)
        response["Retry-After"] = str(error.retry_after)
        return response
    except (MixRefusedError, TermsForbid) as error:
        form.add_error(None, str(error.message))
        return _choose(request, form, HTTPStatus.CONFLICT)
    return _to_mix(request, mix)


def _choose(request: AccountHttpRequest, form: PairForm, status: int = HTTPStatus.OK) -> HttpResponse:
    user = _user(request)
    typed = {name: str(form[name].value() or "") for name in ("first", "second")}
    chosen = {name: text.replace("\0", "")[:200] for name, text in typed.items()}
    first, second = (find_mixable(user, address) for address in chosen.values())
    context = {
        "form": form,
        "chosen": chosen,
        "firsts": partners_of(None, user, among=first),
        "seconds": partners_of(first, user, among=second),
        "following": _following(request),
        "mixes": [] if request.htmx else latest_mixes(user),
    }
    template = "catalog/mix_create.html#seconds" if request.htmx else "catalog/mix_create.html"
    return render(request, template, context, status=status)


@require_safe
@login_required
def show_mix(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Show the preview, what follows from both licences, and how far the model is; `?rev=N` polls."""
    mix = _own_mix(request, pk)
    if request.htmx:
        progress = read_progress(mix.job or mix.preview_job)
        context = _live_context(request, mix)
        return poll_response(
            request, progress, lambda: render(request, "catalog/mix_detail.html#live", context)
        )
    return _show(request, mix)


def _show(
    request: AccountHttpRequest,
    mix: ModelMix,
    *,
    weights: WeightsForm | None = None,
    title: TitleForm | None = None,
    refusal: str = "",
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    both = {"first": mix.first.model.title, "second": mix.second.model.title}
    proposed = _("%(first)s and %(second)s") % both
    kinship = kinship_of(mix)
    context = {
        **_live_context(request, mix),
        "is_open": mix.model is None and not (mix.job is not None and mix.job.is_active),
        "weights": weights or WeightsForm(mix=mix),
        "title_form": title or TitleForm(initial={"title": proposed[:120]}),
        "refusal": refusal,
        "kinship": KINSHIP_WORDS.get(kinship, ""),
        "are_strangers": kinship is Kinship.STRANGERS,
        "terms": mixed_terms(mix, _user(request)),
    }
    return render(request, "catalog/mix_detail.html", context, status=status)


def _live_context(request: AccountHttpRequest, mix: ModelMix) -> dict[str, Any]:
    """What the part of the page shows that moves."""
    job = mix.job or mix.preview_job
    following = _following(request)
    return {
        "mix": mix,
        "job": job,
        "progress": read_progress(job),
        "in_words": in_words(config_of(mix)),
        "picture": _picture(mix),
        "following": following,
        "onward": _onward(mix, following),
        "is_trainable": is_trainable(mix),
        "is_unserved": job.state == State.QUEUED and not is_served(Queue.GENERATE),
    }


def _onward(mix: ModelMix, following: str) -> str:
    """Where whoever came from there goes on with the model; "" where that is nowhere."""
    version = mix.model.latest_version if mix.model else None
    if version is None or not following:
        return ""
    return f"{following}{'&' if '?' in following else '?'}{urlencode({'start': str(version.pk)})}"


def _picture(mix: ModelMix) -> str:
    """The address of the preview, another one for each; "" before there is one."""
    if not mix.preview:
        return ""
    return f"{reverse('catalog:mix_preview', args=[mix.pk])}?{urlencode({'of': mix.preview})}"


@require_POST
@login_required
def weigh_mix(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Weigh the two models otherwise; the preview is made anew."""
    mix = _own_mix(request, pk)
    form = WeightsForm(request.POST, mix=mix)
    if not form.is_valid():
        if request.htmx:
            return HttpResponse(status=HTTPStatus.NO_CONTENT)  # half typed: the next change counts
        return _show(request, mix, weights=form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        change_mix(mix=mix, config=form.cleaned_data["config"])
    except MixRefusedError as error:
        return _show(request, mix, refusal=str(error.message), status=HTTPStatus.CONFLICT)
    if request.htmx:
        context = _live_context(request, _own_mix(request, pk))
        return render(request, "catalog/mix_detail.html#live", context)
    return _to_mix(request, mix)


@require_POST
@login_required
def make_model(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Have the model made, as the preview shows it."""
    mix = _own_mix(request, pk)
    form = TitleForm(request.POST)
    if not form.is_valid():
        return _show(request, mix, title=form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        make_mix(mix=mix, title=form.cleaned_data["title"])
    except (MixRefusedError, TermsForbid) as error:
        return _show(request, mix, title=form, refusal=str(error.message), status=HTTPStatus.CONFLICT)
    return _to_mix(request, mix)


@require_POST
@login_required
def discard_mix(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Forget a mix; the model that was made of it stays."""
    delete_mix(mix=_own_mix(request, pk))
    messages.success(request, _("Discarded."))
    return redirect("catalog:mix_create")


@require_safe
@login_required
def serve_preview(request: AccountHttpRequest, pk: UUID) -> HttpResponseBase:
    """Serve the pictures of a preview: first model, mix and second model, one under the other."""
    mix = _own_mix(request, pk)
    is_this = request.GET.get("of") == mix.preview
    return serve_file(request, mix.preview, content_type="image/webp", immutable=is_this)


def _to_mix(request: AccountHttpRequest, mix: ModelMix) -> HttpResponse:
    address, following = mix.get_absolute_url(), _following(request)
    return redirect(f"{address}?{urlencode({'next': following})}" if following else address)


def _following(request: AccountHttpRequest) -> str:
    """Where whoever mixes wants to go on with the model: an address of the studio's, else ""."""
    address = (request.POST.get("next") or request.GET.get("next", ""))[:_NEXT_LENGTH]
    is_own = url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return address if is_own else ""


def _own_mix(request: AccountHttpRequest, pk: UUID) -> ModelMix:
    mixes = ModelMix.objects.owned_by(request.user).select_related(
        "first__model__owner",
        "first__source",
        "second__model__owner",
        "second__source",
        "preview_job",
        "job",
        "model__owner",
    )
    found: ModelMix = get_object_or_404(mixes, pk=pk)
    return found


def _user(request: AccountHttpRequest) -> User:
    assert isinstance(request.user, User)  # behind login_required
    return request.user
