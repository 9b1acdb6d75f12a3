"""Having it measured what a model has learnt by heart, and the part of its page that tells it."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.middleware import AccountHttpRequest
from accounts.models import User
from generation.exceptions import PointRefusedError
from generation.explore.addressed import network_at
from generation.explore.memorising import start_memorisation, tell_memorisation


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def show_memorisation(request: AccountHttpRequest, handle: str, name: str) -> HttpResponse:
    """Show that part of an own model's page alone; with POST have it measured."""
    network = network_at(request, handle, name)
    version = network.version
    assert version is not None  # it has an address
    assert isinstance(request.user, User)  # behind login_required
    if network.owner_id != request.user.pk:
        raise Http404
    if request.method == "POST":
        try:
            start_memorisation(owner=request.user, version=version)
        except PointRefusedError as error:
            messages.error(request, str(error))
        if not request.htmx:
            return redirect(network.home)
    shown = tell_memorisation(version, request.user)
    return render(request, "generation/model_memorisation.html", {"part": shown})
