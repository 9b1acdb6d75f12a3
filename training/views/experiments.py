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
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.files import serve_file
from billing.exceptions import AccountBlocked, CreditsShort
from catalog.exceptions import CatalogError
from jobs.exceptions import MoveRefusedError
from jobs.http import answers_unchanged_polls, poll_response
from jobs.models import State
from jobs.progress import read_progress
from jobs.revisions import combined_revision
from training import estimates, selectors, services
from training.exceptions import DatasetUnfit, TrainingError
from training.forms import ExperimentForm, SaveModelForm
from training.models import Dataset, Experiment, Snapshot
from training.views.requests import StudioRequest


@require_safe
@login_required
def list_experiments(request: StudioRequest) -> HttpResponse:
    """Show the experiments of whoever asks, by how far they are; with `?rev=` what has changed, or 204."""
    experiments = selectors.experiments_with_covers(request.user)
    rev = combined_revision((one.pk, one.job.rev) for one in experiments)
    if request.htmx and request.GET.get("rev") == rev:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    groups = [
        (title, [experiment for experiment in experiments if experiment.job.state in states])
        for title, states in selectors.GROUPS
    ]
    is_active = any(experiment.job.is_active for experiment in experiments)
    context = {"groups": groups, "is_empty": not experiments, "is_active": is_active, "rev": rev}
    template = "training/experiment_list.html#runs" if request.htmx else "training/experiment_list.html"
    return render(request, template, context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def create_experiment(request: StudioRequest) -> HttpResponse:
    """Choose dataset, starting point and settings; then start."""
    if request.method == "POST":
        return _start(request)
    if request.htmx.target == "estimate":
        context = _estimate(request, ExperimentForm(request.GET, user=request.user))
        return render(request, "training/experiment_form.html#estimate", context)
    chosen = _chosen_dataset(request)
    readiness = _readiness(chosen)
    if request.htmx and chosen and request.GET.get("rev") == readiness["filling"].rev:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    form = ExperimentForm(user=request.user, initial={"dataset": chosen})
    context = {"form": form, **readiness}
    if request.htmx:
        return render(request, "training/experiment_form.html#readiness", context)
    return render(request, "training/experiment_form.html", context | _estimate(request, form))


def _start(request: StudioRequest) -> HttpResponse:
    form = ExperimentForm(request.POST, user=request.user)
    status, problem = HTTPStatus.UNPROCESSABLE_ENTITY, None
    if form.is_valid():
        try:
            experiment = services.start_experiment(owner=request.user, **form.values())
        except TrainingError as error:
            form.add_error(error.field or None, str(error))
        except (CreditsShort, AccountBlocked) as error:
            status, problem = HTTPStatus.PAYMENT_REQUIRED, error
        else:
            return redirect("training:experiment_detail", experiment.pk)
    context = {"form": form, "problem": problem, **_readiness(None), **_estimate(request, form)}
    return render(request, "training/experiment_form.html", context, status=status)


def _estimate(request: StudioRequest, form: ExperimentForm) -> dict[str, object]:
    """What the training will cost as the form stands, and how long the plan lets it run at a time."""
    estimate = estimates.estimate_training(user=request.user, planned=form.planned())
    hours = estimates.hours_at_a_time(request.user)
    return {"estimate": estimate.cost, "seconds": estimate.seconds, "hours": hours}


def _chosen_dataset(request: StudioRequest) -> Dataset | None:
    """The dataset that `?dataset=` names, if it is the user's."""
    try:
        pk = UUID(request.GET.get("dataset", ""))
    except ValueError:
        return None
    found: Dataset | None = Dataset.objects.owned_by(request.user).filter(pk=pk).first()
    return found


def _readiness(dataset: Dataset | None) -> dict[str, Any]:
    if dataset is None:
        return {}
    return {
        "dataset": dataset,
        "filling": selectors.filling(dataset),
        "readiness": selectors.readiness(dataset.picture_count),
    }


@answers_unchanged_polls(Experiment)
@require_safe
@login_required
def show_experiment(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Show an experiment; with `?rev=` what has changed of it since, or 204."""
    experiment = _own_experiment(request, pk, is_live=bool(request.htmx))
    if not request.htmx:
        return render(request, "training/experiment_detail.html", _detail(request, experiment))
    progress = read_progress(experiment.job)

    def render_live() -> HttpResponse:
        context = _detail(request, experiment) | {"is_live": True, "progress": progress}
        return render(request, "training/experiment_detail.html#live", context)

    return poll_response(request, progress, render_live)


def _detail(
    request: StudioRequest, experiment: Experiment, form: SaveModelForm | None = None
) -> dict[str, Any]:
    """Everything the page shows. A poll says what its film's newest picture is, and gets newer ones only."""
    snapshots = list(experiment.snapshots.all())
    frames = [selectors.Frame.of(experiment, snapshot) for snapshot in snapshots]
    chart = selectors.loss_chart(experiment)
    can_save = any(snapshot.folder for snapshot in snapshots)
    newest = str(snapshots[-1].pk) if snapshots else ""
    can_resume = (
        experiment.job.state in (State.STOPPED, State.FAILED)
        and experiment.dataset_version.dataset_id is not None
    )
    return {
        "experiment": experiment,
        "job": experiment.job,
        "progress": read_progress(experiment.job),
        "frames": frames,
        "newest": newest,
        "has_new_frames": newest != request.GET.get("newest", ""),
        "chart": chart,
        "log": selectors.log_lines(experiment.job, snapshots),
        "can_resume": can_resume,
        "rest": estimates.estimate_rest(experiment).cost if can_resume else None,
        "is_queued": experiment.job.state == State.QUEUED,
        "is_running": experiment.job.state == State.RUNNING,
        "settings": [
            (ExperimentForm.base_fields[name].label or name, value)
            for name, value in experiment.settings.items()
            if name in ExperimentForm.ADVANCED
        ],
        "can_save": can_save,
        "form": form or (SaveModelForm(experiment=experiment) if can_save else None),
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
    experiment = _own_experiment(request, pk)
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
    context = _detail(request, _own_experiment(request, pk)) | {"is_live": request.htmx, "problem": problem}
    template = "training/experiment_detail.html#live" if request.htmx else "training/experiment_detail.html"
    status = HTTPStatus.OK if problem is None else HTTPStatus.PAYMENT_REQUIRED
    return render(request, template, context, status=status)


@require_POST
@login_required
def save_model(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Make a model of a snapshot."""
    experiment = _own_experiment(request, pk)
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
    context = _detail(request, experiment, form)
    return render(request, "training/experiment_detail.html", context, status=HTTPStatus.UNPROCESSABLE_ENTITY)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def delete_experiment(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Ask, then delete."""
    experiment = _own_experiment(request, pk)
    if request.method == "POST":
        try:
            services.delete_experiment(experiment=experiment)
        except TrainingError as error:
            messages.error(request, str(error))
            return redirect("training:experiment_detail", pk)
        messages.success(request, _("%(name)s was deleted.") % {"name": experiment.name})
        return redirect("training:experiment_list")
    return render(request, "training/experiment_delete.html", {"experiment": experiment})


@require_safe
@login_required
def show_grid(request: StudioRequest, pk: UUID, snapshot_pk: UUID) -> HttpResponseBase:
    """Serve the pictures of the fixed seeds at one snapshot."""
    snapshot = get_object_or_404(Snapshot, pk=snapshot_pk, experiment_id=pk, experiment__owner=request.user)
    # A resumed training writes the same step again: the attempt in the address makes it another picture.
    return serve_file(request, snapshot.grid, content_type="image/png", immutable="attempt" in request.GET)


def _own_experiment(request: StudioRequest, pk: UUID, *, is_live: bool = False) -> Experiment:
    """Return the user's experiment, or raise Http404. `is_live`: with only what the moving fragments show."""
    experiments = (
        Experiment.objects.owned_by(request.user)
        .select_related("job__price", "dataset_version", "saved_model__owner")
        .defer("dataset_version__pictures")
    )
    if not is_live:
        experiments = experiments.select_related(
            "owner",
            "dataset_version__dataset",
            "dataset_version__licence",
            "starting_point__model__owner",
            "starting_point__source",
        )
    found: Experiment = get_object_or_404(experiments, pk=pk)
    return found
