"""Pages of experiments."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.files import serve_file
from billing.exceptions import AccountBlocked, CreditsShort
from jobs.exceptions import MoveRefusedError
from jobs.http import answers_unchanged_polls, poll_response
from jobs.models import State
from jobs.progress import read_progress
from jobs.revisions import combined_revision
from training import estimates, quality, reports, selectors, services
from training.exceptions import DatasetUnfit, TrainingError
from training.forms import SetupForm
from training.models import Experiment, Snapshot
from training.views.access import own_experiment
from training.views.requests import StudioRequest
from training.views.steps import Stage, experiment_steps
from training.withdrawn import note_of_withdrawal, why_ended


@require_safe
@login_required
def list_experiments(request: StudioRequest) -> HttpResponse:
    """Show the experiments of whoever asks, by how far they are; with `?rev=` what has changed, or 204."""
    experiments = list(selectors.experiments_with_covers(request.user))
    rev = combined_revision((one.pk, one.job.rev) for one in experiments)
    if request.htmx and request.GET.get("rev") == rev:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    active = [one for one in experiments if one.job.is_active]
    drafts = list(selectors.drafts_with_covers(request.user))
    context = {
        "active": active,
        "drafts": drafts,
        "ended": [one for one in experiments if not one.job.is_active],
        "is_empty": not experiments and not drafts,
        "is_active": bool(active),
        "rev": rev,
    }
    template = "training/experiment_list.html#runs" if request.htmx else "training/experiment_list.html"
    return render(request, template, context)


@answers_unchanged_polls(Experiment)
@require_safe
@login_required
def show_experiment(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Show an experiment; with `?rev=` what has changed of it since, or 204."""
    experiment = own_experiment(request, pk, is_live=bool(request.htmx))
    if not request.htmx:
        return render(request, "training/experiment_detail.html", _detail(request, experiment))
    progress = read_progress(experiment.job)

    def render_live() -> HttpResponse:
        context = _detail(request, experiment) | {"is_live": True, "progress": progress}
        return render(request, "training/experiment_detail.html#live", context)

    return poll_response(request, progress, render_live)


def _detail(request: StudioRequest, experiment: Experiment) -> dict[str, Any]:
    """Everything the page shows. A poll says what its film's newest picture is, and gets newer ones only."""
    snapshots = list(experiment.snapshots.all())
    newest = str(snapshots[-1].pk) if snapshots else ""
    is_stopped = experiment.job.state in (State.STOPPED, State.FAILED)
    note = why_ended(experiment.dataset_version) if is_stopped else ""
    can_resume = is_stopped and not note
    if experiment.job.state == State.SUCCEEDED:
        note = note_of_withdrawal(experiment.dataset_version)
    return {
        "experiment": experiment,
        "job": experiment.job,
        "steps": experiment_steps(Stage.TRAINING, experiment, has_snapshots=bool(snapshots)),
        "progress": read_progress(experiment.job),
        "frames": [selectors.Frame.of(experiment, snapshot) for snapshot in snapshots],
        "newest": newest,
        "has_new_frames": newest != request.GET.get("newest", ""),
        "chart": selectors.loss_chart(experiment),
        "quality_charts": quality.quality_charts(snapshots, last_x=experiment.steps),
        "figures": quality.figures_of(snapshots[-1]) if snapshots else [],
        "log": selectors.log_lines(experiment.job, snapshots),
        "can_resume": can_resume,
        "note": note,
        "report": None if request.htmx else reports.thaw(experiment.dataset_version.report),
        "rest": estimates.estimate_rest(experiment) if can_resume else None,
        "is_queued": experiment.job.state == State.QUEUED,
        "is_running": experiment.job.state == State.RUNNING,
        "settings": [
            (SetupForm.base_fields[name].label or name, value)
            for name, value in experiment.settings.items()
            if name in SetupForm.ADVANCED
        ],
    }


@require_POST
@login_required
def stop_experiment(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Stop a training, keeping what it has learned; cancel one that waits."""
    return _steer(request, pk, services.stop_experiment)


@require_POST
@login_required
def resume_experiment(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Let a stopped or failed training go on."""
    return _steer(request, pk, services.resume_experiment)


@require_POST
@login_required
def request_sample(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Have a running training show its samples now."""
    return _steer(
        request, pk, services.request_experiment_sample, _("The sample comes after the step that is running.")
    )


@require_POST
@login_required
def request_snapshot(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Have a running training keep a snapshot now."""
    return _steer(
        request,
        pk,
        services.request_experiment_snapshot,
        _("The snapshot comes after the step that is running."),
    )


def _steer(request: StudioRequest, pk: UUID, service: Callable[..., None], promise: str = "") -> HttpResponse:
    """Do it and show the experiment anew; `promise` says what will follow where nothing changes at once."""
    experiment = own_experiment(request, pk)
    problem = None
    try:
        service(experiment=experiment)
    except (DatasetUnfit, MoveRefusedError) as error:
        messages.error(request, str(error))
    except (CreditsShort, AccountBlocked) as error:
        problem = error
    else:
        if promise:
            messages.info(request, promise)
    if problem is None and not request.htmx:
        return redirect("training:experiment_detail", pk)
    context = _detail(request, own_experiment(request, pk)) | {"is_live": request.htmx, "problem": problem}
    template = "training/experiment_detail.html#live" if request.htmx else "training/experiment_detail.html"
    status = HTTPStatus.OK if problem is None else HTTPStatus.PAYMENT_REQUIRED
    return render(request, template, context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def delete_experiment(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Ask, then delete."""
    experiment = own_experiment(request, pk)
    if request.method == "POST":
        try:
            services.delete_experiment(experiment=experiment)
        except TrainingError as error:
            messages.error(request, str(error))
            return redirect("training:experiment_detail", pk)
        messages.success(request, _("%(name)s was deleted.") % {"name": experiment.name})
        return redirect("training:experiment_list")
    context = {"experiment": experiment, "goes": selectors.parts_of_experiment(experiment)}
    return render(request, "training/experiment_delete.html", context)


@require_safe
@login_required
def show_grid(request: StudioRequest, pk: UUID, snapshot_pk: UUID) -> HttpResponseBase:
    """Serve the pictures of the fixed seeds at one snapshot; with `?download` to be saved."""
    snapshots = Snapshot.objects.select_related("experiment")
    snapshot = get_object_or_404(snapshots, pk=snapshot_pk, experiment_id=pk, experiment__owner=request.user)
    name = slugify(snapshot.experiment.name) or "samples"
    # A resumed training writes the same step again: the attempt in the address makes it another picture.
    return serve_file(
        request,
        snapshot.grid,
        content_type="image/png",
        filename=f"{name}-{snapshot.step:06d}.png",
        download="download" in request.GET,
        immutable="attempt" in request.GET,
    )
