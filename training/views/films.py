"""The progress video of an experiment."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.text import slugify
from django.views.decorators.http import require_POST, require_safe

from accounts.files import serve_file
from jobs.http import poll_response
from jobs.progress import read_progress
from training import services
from training.exceptions import TrainingError
from training.models import Experiment, Film
from training.services.films import MIN_FRAMES, is_current
from training.views.access import own_experiment
from training.views.requests import StudioRequest
from training.views.steps import Stage, experiment_steps


@require_safe
@login_required
def show_film(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Show the film, or how far it is; with `?rev=` what has changed since, or 204."""
    experiment = own_experiment(request, pk)
    film = _film_of(experiment)
    context = _context(experiment, film)
    if request.htmx and film is not None:
        progress = read_progress(film.job)
        template = "training/experiment_film.html#film"
        return poll_response(request, progress, lambda: render(request, template, context))
    return render(request, "training/experiment_film.html", context)


@require_POST
@login_required
def make_film(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Have the film made, or made anew."""
    experiment = own_experiment(request, pk)
    try:
        services.make_film(experiment=experiment)
    except TrainingError as error:
        messages.error(request, str(error))
    return redirect("training:experiment_film", pk)


@require_safe
@login_required
def serve_film(request: StudioRequest, pk: UUID) -> HttpResponseBase:
    """Serve the film; with `?download` to be saved."""
    experiment = own_experiment(request, pk)
    film = _film_of(experiment)
    if film is None:
        raise Http404
    name = f"{slugify(experiment.name) or 'film'}-{film.last_step}.mp4"
    # The step in the address makes a new film another one.
    return serve_file(
        request,
        film.file,
        content_type="video/mp4",
        filename=name,
        immutable="step" in request.GET,
    )


def _film_of(experiment: Experiment) -> Film | None:
    return Film.objects.select_related("job").filter(experiment=experiment).first()


def _context(experiment: Experiment, film: Film | None) -> dict[str, Any]:
    grids = list(experiment.snapshots.values_list("step", flat=True))
    return {
        "experiment": experiment,
        "job": experiment.job,
        "steps": experiment_steps(Stage.REVIEW, experiment, has_snapshots=bool(grids)),
        "tab": "film",
        "count": len(grids),
        "film": film,
        "progress": read_progress(film.job) if film else None,
        "is_enough": len(grids) >= MIN_FRAMES,
        "is_current": bool(film and grids and is_current(film, grids[-1])),
    }
