"""Pages on which models are run, and what they made."""

from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.files import serve_content, serve_file
from accounts.middleware import AccountHttpRequest
from accounts.models import User
from accounts.receiving import UploadTooLarge, receive_files
from accounts.zips import zip_response
from billing.exceptions import AccountBlocked, CreditsShort
from catalog.exceptions import ChainRefusedError, RunRefusedError, TooManyRunsError
from catalog.kinds import is_runnable, outputs_of
from catalog.model_page import page_context
from catalog.models import ModelRun, ModelVersion, RunItem, RunResult
from catalog.registry import destinations
from catalog.run_forms import MAX_COUNT, RunForm
from catalog.run_results import as_csv, as_json, file_name, shown_items, zip_entries
from catalog.runs import find_source, kind_words, quote_run, takers, versions_at
from catalog.services.runs import StepOrder, delete_run, start_run
from jobs.estimates import is_served
from jobs.http import answers_unchanged_polls, poll_response
from jobs.models import Queue, State
from jobs.progress import read_progress
from jobs.services import stop_job

PAGE_SIZE = 24
MAX_BYTES = 512 << 20  # of the files of one run together
_LINKED_LENGTH = 1000


@csrf_exempt  # the form's token is checked in `_order`, once the handler that counts bytes stands
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def create_run(request: AccountHttpRequest, handle: str, name: str) -> HttpResponse:
    """Show a model's Run form, filled from a link; order what it asks for."""
    version = _usable(request, handle, name)
    if not is_runnable(version):
        return _other_page(request, version)
    if request.method == "POST":
        try:
            receive_files(request, max_bytes=MAX_BYTES)
        except UploadTooLarge:
            problem = _("The files together may have at most %(limit)d MB. Send them in several runs.")
            form = RunForm(user=_user(request), version=version)
            problem %= {"limit": MAX_BYTES >> 20}
            return _form_page(
                request, version, form, refusal=problem, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            )
        return _order(request, version)
    linked = {name: value[:_LINKED_LENGTH] for name, value in request.GET.items()}
    form = RunForm(user=_user(request), version=version, initial=linked)
    if request.htmx.target == "run-button":
        return render(request, "catalog/run_create.html#button", _button(version, form, linked.get("count")))
    return _form_page(request, version, form)


@csrf_protect
def _order(request: AccountHttpRequest, version: ModelVersion) -> HttpResponse:
    form = RunForm(request.POST, request.FILES, user=_user(request), version=version)
    if not form.is_valid():
        return _form_page(request, version, form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    step = StepOrder(version=version, settings=form.settings())
    try:
        run = start_run(owner=_user(request), steps=[step], items=form.items())
    except TooManyRunsError as error:
        response = _form_page(
            request, version, form, refusal=str(error.message), status=HTTPStatus.TOO_MANY_REQUESTS
        )
        response["Retry-After"] = str(error.retry_after)
        return response
    except (RunRefusedError, ChainRefusedError) as error:
        return _form_page(request, version, form, refusal=str(error.message), status=HTTPStatus.CONFLICT)
    except (CreditsShort, AccountBlocked) as error:
        return _form_page(request, version, form, problem=error, status=HTTPStatus.PAYMENT_REQUIRED)
    return redirect("catalog:run_detail", pk=run.pk)


def _form_page(
    request: AccountHttpRequest,
    version: ModelVersion,
    form: RunForm,
    *,
    refusal: str = "",
    problem: Exception | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    context = {
        **page_context(request, version.model, tab="run"),
        "refusal": refusal,
        "problem": problem,
        "gives": kind_words(port.kind for port in outputs_of(version)),
        "is_unserved": not is_served(Queue.GENERATE),
        **_button(version, form, form["count"].value() if "count" in form.fields else None),
    }
    return render(request, "catalog/run_create.html", context, status=status)


def _button(version: ModelVersion, form: RunForm, told: Any) -> dict[str, Any]:
    """What the button says: credits for so many runs; for files, the credits of each."""
    text = str(told or 1)
    is_number = text.isdecimal() and len(text) < 4 and 1 <= int(text) <= MAX_COUNT
    count = int(text) if is_number and not form.takes_files else 1
    return {
        "model": version.model,
        "form": form,
        "count": count,
        "credits": quote_run([version.model], count).credits,
    }


@require_safe
@login_required
def list_runs(request: AccountHttpRequest) -> HttpResponse:
    """Show everything that whoever asks has run, newest first."""
    runs = ModelRun.objects.owned_by(request.user).select_related("job").prefetch_related("steps")
    page = Paginator(runs, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "catalog/run_list.html", {"page": page})


@answers_unchanged_polls(ModelRun)
@require_safe
@login_required
def show_run(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Show a run with its results as they come; `?rev=N` polls."""
    run = _own_run(request, pk)
    progress = read_progress(run.job)
    shown = shown_items(run)
    steps = list(run.steps.select_related("version__model__owner", "price").order_by("position"))
    context: dict[str, Any] = {
        "run": run,
        "job": run.job,
        "progress": progress,
        "steps": steps,
        "priced_steps": [step for step in steps if step.price is not None] if len(steps) > 1 else [],
        "shown": shown,
        "made": sum(bool(one.results) for one in shown),
        "failed": sum(bool(one.item.error) for one in shown),
        "is_unserved": run.job.state == State.QUEUED and not is_served(Queue.GENERATE),
        "again": _again(steps),
    }
    template = "catalog/run_detail.html#live" if request.htmx else "catalog/run_detail.html"
    return poll_response(request, progress, lambda: render(request, template, context))


def _again(steps: list[Any]) -> str:
    """Return the address of the form for another run like this; "" for a chain, or without its model."""
    version = steps[0].version if len(steps) == 1 else None
    if version is None:
        return ""
    address = reverse("catalog:run_create", args=[version.model.owner.handle, version.model.name])
    told = {name: value for name, value in steps[0].settings.items() if isinstance(value, (str, int, float))}
    return f"{address}?{urlencode(told)}" if told else address


@require_POST
@login_required
def stop_run(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Stop a run; what is made already stays."""
    stop_job(job=_own_run(request, pk).job)
    return redirect("catalog:run_detail", pk=pk)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def remove_run(request: AccountHttpRequest, pk: UUID) -> HttpResponse:
    """Ask, then delete a run with what it made."""
    run, refusal = _own_run(request, pk), ""
    if request.method == "POST":
        try:
            delete_run(run=run)
        except RunRefusedError as error:
            refusal = str(error.message)
        else:
            messages.success(request, _("Deleted the run."))
            return redirect("catalog:run_list")
    status = HTTPStatus.CONFLICT if refusal else HTTPStatus.OK
    return render(request, "catalog/run_delete.html", {"run": run, "refusal": refusal}, status=status)


@require_safe
@login_required
def download_run(request: AccountHttpRequest, pk: UUID, layout: str) -> HttpResponseBase:
    """Send everything that a run made: as a ZIP with the pictures, or its values as CSV or JSON."""
    run = _own_run(request, pk)
    title = slugify(run.title)[:60] or "run"
    if layout == "zip":
        return zip_response(zip_entries(run), f"{title}.zip")
    content = as_csv(run) if layout == "csv" else as_json(run)
    content_type = "text/csv; charset=utf-8" if layout == "csv" else "application/json"
    return serve_content(content, content_type=content_type, filename=f"{title}.{layout}")


@require_safe
@login_required
def serve_result(request: AccountHttpRequest, pk: UUID, result_pk: UUID) -> HttpResponseBase:
    """Serve a picture that a run made."""
    results = RunResult.objects.select_related("item", "step").exclude(file="")
    result = get_object_or_404(results, pk=result_pk, item__run=_own_run(request, pk))
    return _picture(request, result.file, file_name(result))


@require_safe
@login_required
def serve_given(request: AccountHttpRequest, pk: UUID, position: int) -> HttpResponseBase:
    """Serve the picture that an item of a run was, as it was read: nobody gets to see the file itself."""
    item = get_object_or_404(RunItem, run=_own_run(request, pk), position=position)
    if not item.file.startswith("jobs/"):
        raise Http404
    return _picture(request, item.file, f"given-{position + 1:03d}.png")


def _picture(request: HttpRequest, key: str, filename: str) -> HttpResponseBase:
    return serve_file(request, key, content_type="image/png", filename=filename, immutable=True)


@require_safe
@login_required
def send_on(request: AccountHttpRequest) -> HttpResponse:
    """Show the models that take a picture, to send one on to: `?source=picture:<id>` or `result:<id>`."""
    source = request.GET.get("source", "")[:80]
    if find_source(_user(request), source) is None:
        source = ""
    context: dict[str, Any] = {"source": source, "versions": [], "pages": []}
    if source:
        context["versions"] = takers(_user(request), "image")
        context["pages"] = [(page, page.address(source)) for page in destinations()]
    return render(request, "catalog/run_send.html", context)


@require_safe
@login_required
def serve_sent(request: AccountHttpRequest) -> HttpResponseBase:
    """Serve the picture that a link sends on, so that it can be seen where it arrives."""
    key = find_source(_user(request), request.GET.get("source", "")[:80])
    return serve_file(request, key or "", content_type="image/png", filename="sent.png", immutable=True)


def _usable(request: AccountHttpRequest, handle: str, name: str) -> ModelVersion:
    """Return the newest version of a model that the user may use; others do not exist."""
    version: ModelVersion = get_object_or_404(versions_at(_user(request), handle, name))
    return version


def _other_page(request: AccountHttpRequest, version: ModelVersion) -> HttpResponse:
    """Say that a model is not run here; whoever sends a form to it all the same is told so."""
    status = HTTPStatus.CONFLICT if request.method == "POST" else HTTPStatus.OK
    return render(
        request, "catalog/run_create.html", page_context(request, version.model, tab="run"), status=status
    )


def _own_run(request: AccountHttpRequest, pk: UUID) -> ModelRun:
    run: ModelRun = get_object_or_404(
        ModelRun.objects.owned_by(request.user).select_related("job__price"), pk=pk
    )
    return run


def _user(request: AccountHttpRequest) -> User:
    assert isinstance(request.user, User)  # behind login_required
    return request.user
