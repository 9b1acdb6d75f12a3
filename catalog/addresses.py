"""Models by their address, `owner/name`: those that exist, that have moved, and that were withdrawn."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, Concatenate

from django.db.models import Q
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import ResolverMatch

from accounts.models import User
from catalog.models import CatalogModel, FormerAddress, ModelQuerySet, Visibility

ModelView = Callable[Concatenate[Any, CatalogModel, ...], HttpResponseBase]


def own_model(request: HttpRequest, handle: str, name: str) -> CatalogModel:
    """Return the model of whoever asks at this address, or raise Http404."""
    models = _models().owned_by(request.user)
    found: CatalogModel = get_object_or_404(models, owner__handle=handle, name=name)
    return found


def reached_model(view: ModelView) -> Callable[..., HttpResponseBase]:
    """Give a view the model in place of `handle` and `name`, as far as whoever asks may open it.

    A former address leads to where the model is now; of a model that was withdrawn the page says so (410).
    Everything else does not exist (404).
    """

    @wraps(view)
    def find(request: HttpRequest, handle: str, name: str, **rest: Any) -> HttpResponseBase:
        model = _models().reachable_by(request.user).filter(owner__handle=handle, name=name).first()
        if model is not None:
            return view(request, model, **rest)
        shared = _models().filter(withdrawn_at__isnull=False).exclude(visibility=Visibility.PRIVATE)
        model = shared.filter(owner__handle=handle, name=name).first()
        if model is not None:
            return render(request, "catalog/model_withdrawn.html", {"model": model}, status=HTTPStatus.GONE)
        return _moved(request, handle, name, rest)

    return find


def _models() -> ModelQuerySet:
    models: ModelQuerySet = CatalogModel.objects.select_related("owner").defer("search")
    return models


def _moved(request: HttpRequest, handle: str, name: str, rest: dict[str, Any]) -> HttpResponseBase:
    """Lead from a former address to the same page of its model; only reading is possible there.

    The model has another name now, or its owner another public name, or both.
    """
    owner = User.objects.filter(Q(handle=handle) | Q(former_handles__handle=handle)).first()
    former = FormerAddress.objects.filter(owner=owner, name=name).first()
    reachable = _models().reachable_by(request.user).filter(owner=owner)
    model = reachable.filter(name=name).first()
    if model is None and former is not None:
        model = reachable.filter(pk=former.model_id).first()
    if model is None or request.method not in ("GET", "HEAD"):
        raise Http404
    match = request.resolver_match
    assert isinstance(match, ResolverMatch)
    answer: HttpResponseBase = redirect(match.view_name, handle=model.owner.handle, name=model.name, **rest)
    if request.GET:
        answer["Location"] += f"?{request.GET.urlencode()}"
    return answer
