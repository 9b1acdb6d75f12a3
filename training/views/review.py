"""Reviewing what a training has learned: snapshots, two of them compared, their nearest training pictures."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from catalog.exceptions import CatalogError
from engines.stylegan.config import GRID_COLUMNS, GRID_SEEDS
from training import quality, selectors, services
from training.exceptions import TrainingError
from training.forms import SaveModelForm
from training.models import Experiment, Snapshot
from training.networks import network_key
from training.views.access import own_experiment
from training.views.comparing import comparison, find_snapshot, nearest_pictures
from training.views.requests import StudioRequest
from training.views.steps import Stage, experiment_steps


@require_safe
@login_required
def show_review(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Show one snapshot of an experiment, by default the newest, and what can be done with it."""
    experiment = own_experiment(request, pk)
    context = _review(experiment, request.GET.get("snapshot", ""))
    template = "training/experiment_review.html"
    return render(request, f"{template}#chosen" if request.htmx else template, context)


@require_POST
@login_required
def save_model(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Make a model of a snapshot."""
    experiment = own_experiment(request, pk)
    form = SaveModelForm(request.POST, experiment=experiment)
    if form.is_valid():
        try:
            version = services.save_model(
                experiment=experiment,
                snapshot=form.cleaned_data["snapshot"],
                name=form.cleaned_data.get("name"),
            )
        except (TrainingError, CatalogError) as error:
            form.add_error(None, str(error))
        else:
            messages.success(
                request, _("%(name)s is one of your models now.") % {"name": version.model.title}
            )
            return redirect("catalog:model_detail", request.user.handle, version.model.name)
    wanted = form.cleaned_data.get("snapshot")
    context = _review(experiment, str(wanted.pk) if wanted else "") | {"form": form}
    return render(request, "training/experiment_review.html", context, status=HTTPStatus.UNPROCESSABLE_ENTITY)


@require_safe
@login_required
def compare_snapshots(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Show two snapshots with the same seeds, by default the first and the last; `picture` names one pair."""
    experiment = own_experiment(request, pk)
    snapshots = list(experiment.snapshots.all())
    context = _frame(experiment, snapshots, "compare")
    found = comparison(request, snapshots, columns=GRID_COLUMNS, count=len(GRID_SEEDS))
    if found:
        pairs = zip(*map(quality.figures_of, found["compared"]), strict=True)
        sides = dict(zip("ab", found["compared"], strict=True))
        if all(one.folder for one in sides.values()):
            keys = {side: network_key(one.pk) for side, one in sides.items()}
            context["explore"] = urlencode(keys, safe=":")
        context |= {**found, "figures": pairs}
    return render(request, "training/experiment_compare.html", context)


@require_safe
@login_required
def show_nearest(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Show the training picture nearest to each sample of a snapshot, to the owner alone."""
    experiment = own_experiment(request, pk)
    snapshots = list(experiment.snapshots.all())
    context = _frame(experiment, snapshots, "nearest")
    context |= nearest_pictures(request, experiment, snapshots, columns=GRID_COLUMNS)
    return render(request, "training/experiment_nearest.html", context)


def _review(experiment: Experiment, wanted: str) -> dict[str, Any]:
    snapshots = list(experiment.snapshots.all())
    context = _frame(experiment, snapshots, "review")
    if not snapshots:
        return context
    snapshot = find_snapshot(snapshots, wanted) or snapshots[-1]
    form = SaveModelForm(experiment=experiment, initial={"snapshot": snapshot.pk})
    return context | {
        "snapshot": snapshot,
        "explore_key": network_key(snapshot.pk),
        "frame": selectors.Frame.of(snapshot),
        "frames": [(one, selectors.Frame.of(one)) for one in snapshots],
        "figures": quality.figures_of(snapshot),
        "form": form,
        "newest": snapshots[-1],
    }


def _frame(experiment: Experiment, snapshots: Sequence[Snapshot], tab: str) -> dict[str, Any]:
    """What every page of the review shows around its own."""
    return {
        "experiment": experiment,
        "job": experiment.job,
        "steps": experiment_steps(Stage.REVIEW, experiment, has_snapshots=bool(snapshots)),
        "tab": tab,
        "count": len(snapshots),
        "columns": GRID_COLUMNS,
        "rows": len(GRID_SEEDS) // GRID_COLUMNS,
        "picture_count": len(GRID_SEEDS),
        "width": GRID_COLUMNS * 128,
        "height": len(GRID_SEEDS) // GRID_COLUMNS * 128,
    }
