"""Pages of workspaces: shelves of models, their checkpoints, and chains."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.middleware import AccountHttpRequest
from accounts.models import User
from accounts.receiving import UploadTooLarge, receive_files
from billing.exceptions import AccountBlocked, CreditsShort
from catalog.chain_forms import ChainForms
from catalog.exceptions import ChainRefusedError, NameTakenError, RunRefusedError, TooManyRunsError
from catalog.models import CatalogModel, Chain, ModelVersion, Workspace, WorkspaceModel
from catalog.run_views import MAX_BYTES
from catalog.runs import quote_run, runnable_versions, versions_at
from catalog.services.runs import start_run
from catalog.services.workspaces import (
    MAX_MODELS,
    ChainStepOrder,
    add_model,
    choose_checkpoint,
    keep_settings,
    remove_model,
    save_chain,
    save_workspace,
)
from catalog.workspace_forms import ChainForm, WorkspaceForm
from catalog.workspaces import CHECKPOINT_FAMILIES, ShownStep, shelf_of, steps_of

UNPROCESSABLE = HTTPStatus.UNPROCESSABLE_ENTITY


@require_safe
@login_required
def list_workspaces(request: AccountHttpRequest) -> HttpResponse:
    """Show the workspaces of whoever asks; with `?add=owner/name` to choose the one that gets that model."""
    handle, _slash, name = request.GET.get("add", "").replace("\0", "").partition("/")
    adding = versions_at(_user(request), handle, name).first() if name else None
    counted = Workspace.objects.owned_by(request.user).annotate(
        models=Count("shelf", distinct=True), chain_count=Count("chains", distinct=True)
    )
    return render(request, "catalog/workspace_list.html", {"workspaces": counted, "adding": adding})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def create_workspace(request: AccountHttpRequest) -> HttpResponse:
    """Make a workspace."""
    return _save(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def edit_workspace(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Rename a workspace."""
    return _save(request, _own_workspace(request, pk))


def _save(request: AccountHttpRequest, workspace: Workspace | None) -> HttpResponse:
    form = WorkspaceForm(request.POST or None, instance=workspace)
    if request.method == "POST" and form.is_valid():
        try:
            saved = save_workspace(owner=_user(request), workspace=workspace, **form.cleaned_data)
        except NameTakenError as error:
            form.add_error("name", str(error.message))
        else:
            return redirect("catalog:workspace_detail", pk=saved.pk)
    status = UNPROCESSABLE if request.method == "POST" else HTTPStatus.OK
    return render(
        request, "catalog/workspace_edit.html", {"form": form, "workspace": workspace}, status=status
    )


@require_safe
@login_required
def show_workspace(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Show a workspace's shelf and chains, and models to add."""
    workspace = _own_workspace(request, pk)
    shelf = shelf_of(workspace, _user(request))
    there = [one.entry.model_id for one in shelf]
    addable = runnable_versions(_user(request)).exclude(model_id__in=there)[:MAX_MODELS]
    chains = workspace.chains.prefetch_related("steps")
    context = {"workspace": workspace, "shelf": shelf, "chains": chains, "addable": addable}
    return render(request, "catalog/workspace_detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def delete_workspace(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Ask, then delete a workspace with its chains; models and runs stay."""
    workspace = _own_workspace(request, pk)
    if request.method == "POST":
        workspace.delete()
        messages.success(request, _("Deleted “%(name)s”.") % {"name": workspace.name})
        return redirect("catalog:workspace_list")
    return render(request, "catalog/workspace_delete.html", {"workspace": workspace})


@require_POST
@login_required
def change_shelf(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Put a model on the shelf (`add`), take one off (`remove`), choose a checkpoint (`entry`)."""
    workspace = _own_workspace(request, pk)
    if "add" in request.POST:
        _add(request, workspace, request.POST["add"])
    elif "remove" in request.POST:
        entry = _entry(workspace, request.POST["remove"])
        remove_model(workspace=workspace, model_id=entry.model_id)
    elif "entry" in request.POST:
        entry = _entry(workspace, request.POST["entry"])
        address = request.POST.get("checkpoint", "")
        family = CHECKPOINT_FAMILIES.get(entry.model.family, "-")
        checkpoint = _find(request, address, family=family) if address else None
        choose_checkpoint(entry=entry, checkpoint=checkpoint)
    return redirect("catalog:workspace_detail", pk=pk)


def _add(request: AccountHttpRequest, workspace: Workspace, address: str) -> None:
    if workspace.shelf.count() >= MAX_MODELS:
        messages.error(
            request, _("A workspace holds %(max)d models. Take one off first.") % {"max": MAX_MODELS}
        )
        return
    add_model(workspace=workspace, model=_find(request, address).model)


def _find(request: AccountHttpRequest, address: str, *, family: str = "") -> ModelVersion:
    """Return the newest version of `owner/name`; one that the user may not use does not exist."""
    handle, _slash, name = address.replace("\0", "").partition("/")
    found = versions_at(_user(request), handle, name)
    version: ModelVersion = get_object_or_404(found.filter(model__family=family) if family else found)
    return version


def _entry(workspace: Workspace, number: str) -> WorkspaceModel:
    if not number.isdecimal() or len(number) > 18:
        raise Http404
    entry: WorkspaceModel = get_object_or_404(workspace.shelf.select_related("model"), pk=int(number))
    return entry


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def create_chain(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Make a chain of the models on the shelf."""
    return _save_chain(request, _own_workspace(request, pk), None)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def edit_chain(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Change a chain's name and steps."""
    chain = _own_chain(request, pk)
    return _save_chain(request, chain.workspace, chain)


def _save_chain(request: AccountHttpRequest, workspace: Workspace, chain: Chain | None) -> HttpResponse:
    shelf = shelf_of(workspace, _user(request))
    versions = [one.version for one in shelf if one.is_runnable and one.version is not None]
    form = ChainForm(request.POST or None, versions=versions, initial=_initial(chain))
    if request.method == "POST" and form.is_valid():
        steps = [_step_of(chain, version) for version in form.versions()]
        try:
            saved = save_chain(workspace=workspace, name=form.cleaned_data["name"], steps=steps, chain=chain)
        except ChainRefusedError as error:
            form.add_step_error(error.step, str(error.message))
        except NameTakenError as error:
            form.add_error("name", str(error.message))
        else:
            return redirect("catalog:chain_detail", pk=saved.pk)
    status = UNPROCESSABLE if request.method == "POST" else HTTPStatus.OK
    context = {"form": form, "workspace": workspace, "chain": chain, "has_models": bool(versions)}
    return render(request, "catalog/chain_edit.html", context, status=status)


def _step_of(chain: Chain | None, version: ModelVersion) -> ChainStepOrder:
    """A step with what its model was set to in the chain before it was changed."""
    before = chain.steps.filter(model=version.model_id).first() if chain else None
    return ChainStepOrder(version=version, settings=before.settings if before else {})


def _initial(chain: Chain | None) -> dict[str, Any]:
    if chain is None:
        return {}
    steps = chain.steps.select_related("model__owner")
    addresses = {f"step{step.position}": step.model.address for step in steps if step.model is not None}
    return {"name": chain.name, **addresses}


@csrf_exempt  # the form's token is checked in `_order`, once the handler that counts bytes stands
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def run_chain(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Show a chain with what each step hands on; run it over what is given."""
    chain = _own_chain(request, pk)
    if request.method == "POST":
        try:
            receive_files(request, max_bytes=MAX_BYTES)
        except UploadTooLarge:
            problem = _("The files together may have at most %(limit)d MB. Send them in several runs.")
            problem %= {"limit": MAX_BYTES >> 20}
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            return _chain_page(request, chain, refusal=problem, status=status)
        return _order(request, chain)
    return _chain_page(request, chain)


@csrf_protect
def _order(request: AccountHttpRequest, chain: Chain) -> HttpResponse:
    """Run the chain, or (`keep`) only remember what its steps are set to."""
    steps = steps_of(chain, _user(request))
    if not steps or any(one.problem for one in steps):
        return _chain_page(request, chain, status=HTTPStatus.CONFLICT)
    keeps = "keep" in request.POST
    forms = ChainForms(
        steps, user=_user(request), data=request.POST, files=request.FILES, only_settings=keeps
    )
    if not forms.are_valid():
        return _chain_page(request, chain, forms=forms, status=UNPROCESSABLE)
    if keeps:
        keep_settings(chain=chain, settings=[order.settings for order in forms.orders()])
        messages.success(request, _("Kept. The chain begins with these settings from now on."))
        return redirect("catalog:chain_detail", pk=chain.pk)
    return _start(request, chain, forms)


def _start(request: AccountHttpRequest, chain: Chain, forms: ChainForms) -> HttpResponse:
    try:
        run = start_run(
            owner=_user(request), steps=forms.orders(), items=forms.first.items(), title=chain.name
        )
    except TooManyRunsError as error:
        status = HTTPStatus.TOO_MANY_REQUESTS
        response = _chain_page(request, chain, forms=forms, refusal=str(error.message), status=status)
        response["Retry-After"] = str(error.retry_after)
        return response
    except (RunRefusedError, ChainRefusedError) as error:
        refusal = str(error.message)
        return _chain_page(request, chain, forms=forms, refusal=refusal, status=HTTPStatus.CONFLICT)
    except (CreditsShort, AccountBlocked) as error:
        return _chain_page(request, chain, forms=forms, problem=error, status=HTTPStatus.PAYMENT_REQUIRED)
    return redirect("catalog:run_detail", pk=run.pk)


def _chain_page(
    request: AccountHttpRequest,
    chain: Chain,
    *,
    forms: ChainForms | None = None,
    refusal: str = "",
    problem: Exception | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    steps = steps_of(chain, _user(request))
    fits = bool(steps) and not any(one.problem for one in steps)
    if forms is None and fits:
        forms = ChainForms(steps, user=_user(request))
    context = {
        "chain": chain,
        "workspace": chain.workspace,
        "steps": steps,
        "forms": forms if fits else None,
        "credits": _price(steps) if fits else 0,
        "refusal": refusal,
        "problem": problem,
    }
    return render(request, "catalog/chain_detail.html", context, status=status)


def _price(steps: list[ShownStep]) -> int:
    models: list[CatalogModel] = [one.version.model for one in steps if one.version is not None]
    return quote_run(models, 1).credits


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def delete_chain(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Ask, then delete a chain; what it made stays."""
    chain = _own_chain(request, pk)
    if request.method == "POST":
        chain.delete()
        messages.success(request, _("Deleted “%(name)s”.") % {"name": chain.name})
        return redirect("catalog:workspace_detail", pk=chain.workspace_id)
    return render(request, "catalog/chain_delete.html", {"chain": chain})


def _own_workspace(request: AccountHttpRequest, pk: UUID) -> Workspace:
    workspace: Workspace = get_object_or_404(Workspace.objects.owned_by(request.user), pk=pk)
    return workspace


def _own_chain(request: AccountHttpRequest, pk: UUID) -> Chain:
    chains = Chain.objects.filter(workspace__owner=_user(request)).select_related("workspace")
    return get_object_or_404(chains, pk=pk)


def _user(request: AccountHttpRequest) -> User:
    assert isinstance(request.user, User)  # behind login_required
    return request.user
