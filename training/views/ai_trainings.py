"""Pages of AI trainings."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.files import serve_file
from catalog.exceptions import CatalogError
from catalog.models import ModelVersion
from engines.diffusion.folders import KOHYA_FAMILIES
from engines.diffusion.manifests import KOHYA_FILE, LORA_FILE
from jobs.http import answers_unchanged_polls
from training import ai_estimates, selectors, services
from training.ai_forms import AISetupForm
from training.ai_plans import sheet_of
from training.exceptions import TrainingError
from training.models import AISnapshot, AITraining
from training.views.access import own_ai_training
from training.views.comparing import comparison, nearest_pictures
from training.views.pages import (
    AI_TRAININGS,
    ask_and_delete,
    can_resume,
    live_context,
    serve_grid,
    show_list,
    show_live,
    steer,
)
from training.views.requests import StudioRequest

LOSSES: Mapping[str, Promise] = {
    "loss": gettext_lazy("Your pictures"),
    "loss_prior": gettext_lazy("Pictures of its kind"),
}
# What files are called in addresses, by the names in which they hold their layers.
_NAMINGS = {"diffusers": LORA_FILE, "kohya": KOHYA_FILE}


@require_safe
@login_required
def list_ai_trainings(request: StudioRequest) -> HttpResponse:
    """Show the AI trainings of whoever asks, by how far they are; with `?rev=` what has changed, or 204."""
    return show_list(
        request,
        AI_TRAININGS,
        "training/ai_training_list.html",
        trainings=selectors.ai_trainings_with_covers(request.user),
        drafts=partial(selectors.ai_drafts_with_covers, request.user),
    )


@answers_unchanged_polls(AITraining)
@require_safe
@login_required
def show_ai_training(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Show an AI training; with `?rev=` what has changed of it since, or 204."""
    training = own_ai_training(request, pk)
    return show_live(request, training, partial(_detail, request), "training/ai_training_detail.html")


def _detail(request: StudioRequest, training: AITraining) -> dict[str, Any]:
    """Everything the page shows."""
    snapshots = list(training.snapshots.all())
    weighty = [snapshot for snapshot in snapshots if snapshot.folder]
    measured = next((snapshot for snapshot in reversed(snapshots) if snapshot.nearest), None)
    return {
        **live_context(request, training, snapshots, AI_TRAININGS),
        **_sheet(training),
        "chart": selectors.loss_chart(training, LOSSES),
        "copies": [number for number, found in enumerate(measured.nearest, 1) if found["is_suspect"]]
        if measured
        else [],
        "measured": measured,
        "kept": [(snapshot, selectors.Frame.of(snapshot)) for snapshot in reversed(weighty)],
        "versions": _versions_by_step(training),
        "has_kohya": training.base.manifest["kind"] in KOHYA_FAMILIES,
        "generate_url": _generate_url(training) if training.saved_model else "",
        "rest": ai_estimates.estimate_ai_rest(training) if can_resume(training) else None,
        "settings": [
            (AISetupForm.base_fields[name].label or name, value)
            for name, value in training.settings.items()
            if name in AISetupForm.ADVANCED
        ],
    }


def _sheet(training: AITraining) -> dict[str, Any]:
    """How the samples lie in a snapshot's sheet, and how large that is."""
    columns, rows = sheet_of(training)
    side = training.base.manifest["resolution"]
    return {
        "columns": columns,
        "rows": rows,
        "picture_count": len(training.sample_prompts),
        "width": columns * side,
        "height": rows * side,
        "prompts": training.sample_prompts,
    }


def _versions_by_step(training: AITraining) -> dict[int, int]:
    """The number of the model's version that each snapshot was saved as, by its step. One query."""
    versions = ModelVersion.objects.filter(model=training.saved_model_id)
    return {version.manifest["step"]: version.number for version in versions.only("manifest", "number")}


def _generate_url(training: AITraining) -> str:
    """Text to Image with what was learned, and its words in the prompt."""
    assert training.saved_model is not None
    wanted = {
        "base": training.base.model.address,
        "adapter": training.saved_model.address,
        "prompt": f"{training.keyword} {training.subject}",
    }
    return f"{reverse('generation:generation_create')}?{urlencode(wanted)}"


@require_POST
@login_required
def steer_ai_training(request: StudioRequest, pk: UUID, service: Callable[..., None]) -> HttpResponse:
    """Have a service stop a training, let it go on, or ask something of it; see `pages.steer`."""
    return steer(
        request,
        service,
        find=partial(own_ai_training, request, pk),
        detail=partial(_detail, request),
        template="training/ai_training_detail.html",
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def delete_ai_training(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Ask, then delete."""
    training = own_ai_training(request, pk)
    return ask_and_delete(
        request,
        training,
        services.delete_training,
        pages=AI_TRAININGS,
        template="training/ai_training_delete.html",
        goes={"snapshot_count": training.snapshots.count()},
    )


@require_POST
@login_required
def save_snapshot(request: StudioRequest, pk: UUID, snapshot_pk: UUID) -> HttpResponse:
    """Save a snapshot to the owner's models; with `then=generate` go on to make images with it."""
    training = own_ai_training(request, pk)
    snapshot = get_object_or_404(training.snapshots, pk=snapshot_pk)
    try:
        version = services.save_ai_model(training=training, snapshot=snapshot)
    except (TrainingError, CatalogError) as error:
        messages.error(request, str(error))
        return redirect(training)
    if request.POST.get("then") == "generate":
        return redirect(_generate_url(training))
    messages.success(
        request,
        _("Step %(step)s is version %(number)s of %(name)s now.")
        % {"step": f"{snapshot.step:,}", "number": version.number, "name": version.model.title},
    )
    return redirect(training)


@require_safe
@login_required
def compare_snapshots(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Show two snapshots of the same prompts and seeds, by default the first and the last."""
    training = own_ai_training(request, pk)
    snapshots = list(training.snapshots.all())
    context = _frame(training, "compare")
    context |= comparison(request, snapshots, columns=context["columns"], count=context["picture_count"])
    return render(request, "training/ai_training_compare.html", context)


@require_safe
@login_required
def show_nearest(request: StudioRequest, pk: UUID) -> HttpResponse:
    """Show the training picture nearest to each sample of a snapshot, to the owner alone."""
    training = own_ai_training(request, pk)
    snapshots = list(training.snapshots.all())
    context = _frame(training, "nearest")
    context |= nearest_pictures(request, training, snapshots, columns=context["columns"])
    return render(request, "training/ai_training_nearest.html", context)


def _frame(training: AITraining, tab: str) -> dict[str, Any]:
    """What the pages beside the live one show around their own."""
    return {"training": training, "tab": tab, "pages": AI_TRAININGS, **_sheet(training)}


@require_safe
@login_required
def show_grid(request: StudioRequest, pk: UUID, snapshot_pk: UUID) -> HttpResponseBase:
    """Serve the pictures of the fixed prompts at one snapshot; with `?download` to be saved."""
    snapshot = _own_snapshot(request, pk, snapshot_pk)
    return serve_grid(request, snapshot, snapshot.training.name)


@require_safe
@login_required
def download_lora(request: StudioRequest, pk: UUID, snapshot_pk: UUID, naming: str) -> HttpResponseBase:
    """Serve a snapshot's LoRA, in the names of diffusers or, where its base has any, of kohya."""
    snapshot = _own_snapshot(request, pk, snapshot_pk)
    training = snapshot.training
    if not snapshot.folder or (naming == "kohya" and training.base.manifest["kind"] not in KOHYA_FAMILIES):
        raise Http404
    ending = "" if naming == "diffusers" else f"-{naming}"
    name = f"{slugify(training.name) or 'lora'}-{snapshot.step:06d}{ending}.safetensors"
    return serve_file(
        request,
        f"{snapshot.folder}/{_NAMINGS[naming]}",
        content_type="application/octet-stream",
        filename=name,
        download=True,
    )


def _own_snapshot(request: StudioRequest, pk: UUID, snapshot_pk: UUID) -> AISnapshot:
    snapshots = AISnapshot.objects.select_related("training__base")
    return get_object_or_404(snapshots, pk=snapshot_pk, training_id=pk, training__owner=request.user)
