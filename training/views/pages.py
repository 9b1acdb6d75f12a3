"""What the pages of experiments and of AI trainings have in common: names of addresses, lists, steering."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.text import slugify
from django.utils.translation import gettext as _

from accounts.files import serve_file
from billing.exceptions import AccountBlocked, CreditsShort, FreeTrainingGone
from jobs.exceptions import MoveRefusedError
from jobs.http import poll_response
from jobs.models import State
from jobs.progress import read_progress
from jobs.revisions import combined_revision
from training import reports, selectors
from training.exceptions import DatasetUnfit, TrainingError
from training.models import AISnapshot, Snapshot, TrainingRun
from training.services.steering import request_training_sample, request_training_snapshot
from training.views.requests import StudioRequest
from training.withdrawn import note_of_withdrawal, why_ended


@dataclass(frozen=True)
class Pages:
    """How the addresses of one kind of training are called, for templates and views that serve both."""

    run: str
    snapshot: str
    draft: str

    def __getitem__(self, page: str) -> str:
        """The name of a page's address: of the training, or `draft_…`, `snapshot_…`."""
        part, _line, rest = page.partition("_")
        prefix = {"draft": self.draft, "snapshot": self.snapshot}.get(part)
        return f"training:{prefix}_{rest}" if prefix and rest else f"training:{self.run}_{page}"


EXPERIMENTS = Pages("experiment", "snapshot", "draft")
AI_TRAININGS = Pages("ai_training", "ai_snapshot", "ai_draft")


def show_list(
    request: StudioRequest,
    pages: Pages,
    template: str,
    *,
    trainings: Iterable[TrainingRun],
    drafts: Callable[[], Iterable[Any]],
) -> HttpResponse:
    """Show trainings by how far they are; with `?rev=` what has changed, or 204."""
    found = list(trainings)
    rev = combined_revision((one.pk, one.job.rev) for one in found)
    if request.htmx and request.GET.get("rev") == rev:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    active = [one for one in found if one.job.is_active]
    waiting = list(drafts())
    context = {
        "pages": pages,
        "active": active,
        "drafts": waiting,
        "ended": [one for one in found if not one.job.is_active],
        "is_empty": not found and not waiting,
        "rev": rev,
    }
    return render(request, "training/run_list.html#runs" if request.htmx else template, context)


def can_resume(training: TrainingRun) -> bool:
    """Whether a training that has ended can go on."""
    is_stopped = training.job.state in (State.STOPPED, State.FAILED)
    return is_stopped and not why_ended(training.dataset_version)


def live_context(
    request: StudioRequest, training: TrainingRun, snapshots: Sequence[Snapshot | AISnapshot], pages: Pages
) -> dict[str, Any]:
    """What every live page shows. A poll says what its film's newest picture is, and gets newer ones only."""
    newest = str(snapshots[-1].pk) if snapshots else ""
    is_stopped = training.job.state in (State.STOPPED, State.FAILED)
    note = why_ended(training.dataset_version) if is_stopped else ""
    if training.job.state == State.SUCCEEDED:
        note = note_of_withdrawal(training.dataset_version)
    return {
        "training": training,
        "pages": pages,
        "job": training.job,
        "progress": read_progress(training.job),
        "frames": [selectors.Frame.of(snapshot) for snapshot in snapshots],
        "newest": newest,
        "has_new_frames": newest != request.GET.get("newest", ""),
        "log": selectors.log_lines(training.job, snapshots),
        "can_resume": is_stopped and not note,
        "note": note,
        "report": None if request.htmx else reports.thaw(training.dataset_version.report),
        "is_queued": training.job.state == State.QUEUED,
        "is_running": training.job.state == State.RUNNING,
    }


def show_live(
    request: StudioRequest,
    training: TrainingRun,
    detail: Callable[[TrainingRun], dict[str, Any]],
    template: str,
) -> HttpResponse:
    """Show a training with what `detail` returns; with `?rev=` what has changed of it since, or 204."""
    if not request.htmx:
        return render(request, template, detail(training))
    progress = read_progress(training.job)

    def render_live() -> HttpResponse:
        return render(request, f"{template}#live", detail(training) | {"is_live": True, "progress": progress})

    return poll_response(request, progress, render_live)


def serve_grid(request: StudioRequest, snapshot: Snapshot | AISnapshot, name: str) -> HttpResponseBase:
    """Serve the pictures of a snapshot; with `?download` to be saved."""
    # A resumed training writes the same step again: the attempt in the address makes it another picture.
    return serve_file(
        request,
        snapshot.grid,
        content_type="image/png",
        filename=f"{slugify(name) or 'samples'}-{snapshot.step:06d}.png",
        immutable="attempt" in request.GET,
    )


def steer(
    request: StudioRequest,
    service: Callable[..., None],
    *,
    find: Callable[[], TrainingRun],
    detail: Callable[[TrainingRun], dict[str, Any]],
    template: str,
) -> HttpResponse:
    """Have a service do something with a training and show it anew.

    `find` returns the training as it stands, `detail` what its page shows.
    """
    training, problem = find(), None
    try:
        service(training=training)
    except (DatasetUnfit, MoveRefusedError, FreeTrainingGone) as error:
        messages.error(request, str(error))
    except (CreditsShort, AccountBlocked) as error:
        problem = error
    else:
        # What was asked for comes later; nothing on the page shows yet that it was heard.
        if service is request_training_sample:
            messages.info(request, _("The sample comes after the step that is running."))
        elif service is request_training_snapshot:
            messages.info(request, _("The snapshot comes after the step that is running."))
    if problem is None and not request.htmx:
        return redirect(training)
    training = find()
    context = detail(training) | {"is_live": request.htmx, "problem": problem}
    context["form_page"] = training.get_absolute_url()
    status = HTTPStatus.OK if problem is None else HTTPStatus.PAYMENT_REQUIRED
    return render(request, f"{template}#live" if request.htmx else template, context, status=status)


def ask_and_delete(
    request: StudioRequest,
    training: TrainingRun,
    delete: Callable[..., None],
    *,
    pages: Pages,
    template: str,
    goes: dict[str, Any],
) -> HttpResponse:
    """Ask, naming what goes; then delete."""
    if request.method == "POST":
        try:
            delete(training=training)
        except TrainingError as error:
            messages.error(request, str(error))
            return redirect(training)
        messages.success(request, _("%(name)s was deleted.") % {"name": training.name})
        return redirect(pages["list"])
    return render(request, template, {"training": training, "pages": pages, **goes})
