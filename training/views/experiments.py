"""Pages of experiments."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from jobs.http import answers_unchanged_polls
from training import estimates, quality, selectors, services
from training.forms import SetupForm
from training.models import Experiment, Snapshot
from training.networks import network_key
from training.views.access import own_experiment
from training.views.pages import (
    EXPERIMENTS,
    ask_and_delete,
    can_resume,
    live_context,
    serve_grid,
    show_list,
    show_live,
    steer,
)
from training.views.requests import StudioRequest
from training.views.steps import Stage, experiment_steps


@require_safe
@login_required
def list_experiments(request: StudioRequest) -> HttpResponse:
    """Show the experiments of whoever asks, by how far they are; with `?rev=` what has changed, or 204."""
    return show_list(
        request,
        EXPERIMENTS,
        "training/experiment_list.html",
        trainings=selectors.experiments_with_covers(request.user),
        drafts=partial(selectors.drafts_with_covers, request.user),
    )


@answers_unchanged_polls(Experiment)
@require_safe
@login_required
def show_experiment(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Show an experiment; with `?rev=` what has changed of it since, or 204."""
    experiment = own_experiment(request, pk, is_live=bool(request.htmx))
    return show_live(request, experiment, partial(_detail, request), "training/experiment_detail.html")


def _detail(request: StudioRequest, experiment: Experiment) -> dict[str, Any]:
    """Everything the page shows."""
    snapshots = list(experiment.snapshots.all())
    return {
        **live_context(request, experiment, snapshots, EXPERIMENTS),
        "experiment": experiment,
        "explore_key": _explore_key(snapshots),
        "steps": experiment_steps(Stage.TRAINING, experiment, has_snapshots=bool(snapshots)),
        "chart": selectors.loss_chart(experiment, selectors.LOSSES),
        "quality_charts": quality.quality_charts(snapshots, last_x=experiment.steps),
        "figures": quality.figures_of(snapshots[-1]) if snapshots else [],
        "rest": estimates.estimate_rest(experiment) if can_resume(experiment) else None,
        "settings": [
            (SetupForm.base_fields[name].label or name, value)
            for name, value in experiment.settings.items()
            if name in SetupForm.ADVANCED
        ],
    }


def _explore_key(snapshots: Sequence[Snapshot]) -> str:
    """The key of the newest snapshot that can be explored, "" where there is none."""
    with_weights = [snapshot for snapshot in snapshots if snapshot.folder]
    return network_key(with_weights[-1].pk) if with_weights else ""


@require_POST
@login_required
def steer_experiment(request: StudioRequest, pk: UUID, service: Callable[..., None]) -> HttpResponse:
    """Have a service stop a training, let it go on, or ask something of it; see `pages.steer`."""
    return steer(
        request,
        service,
        find=partial(own_experiment, request, pk),
        detail=partial(_detail, request),
        template="training/experiment_detail.html",
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def delete_experiment(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Ask, then delete."""
    experiment = own_experiment(request, pk)
    return ask_and_delete(
        request,
        experiment,
        services.delete_experiment,
        pages=EXPERIMENTS,
        template="training/experiment_delete.html",
        goes={"goes": selectors.parts_of_experiment(experiment)},
    )


@require_safe
@login_required
def show_grid(request: StudioRequest, pk: UUID, snapshot_pk: UUID) -> HttpResponseBase:
    """Serve the pictures of the fixed seeds at one snapshot; with `?download` to be saved."""
    snapshots = Snapshot.objects.select_related("experiment")
    snapshot = get_object_or_404(snapshots, pk=snapshot_pk, experiment_id=pk, experiment__owner=request.user)
    return serve_grid(request, snapshot, snapshot.experiment.name)
