"""Pages about who may have a model, and where its terms come from."""

from http import HTTPStatus

from allauth.core.ratelimit import consume, respond_429
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from catalog import lineage, lineage_graph
from catalog.addresses import own_model, reached_model
from catalog.exceptions import CatalogError, ReviewRefused, TermsForbid
from catalog.model_page import page_context
from catalog.models import CatalogModel, ModelVersion, PublicationRequest, Visibility
from catalog.publishing_forms import PublishForm, ReportForm, WithdrawForm
from catalog.services import reviews, sharing

# So often may one address report models: a setting of `ACCOUNT_RATE_LIMITS`.
REPORTS = "report_model"


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def publish_model(request: HttpRequest, handle: str, name: str) -> HttpResponse:
    """Choose who may have an own model, and under which licence."""
    model = own_model(request, handle, name)
    version = _newest(model)
    form = PublishForm(request.POST if request.method == "POST" else None, model=model, version=version)
    status = HTTPStatus.OK
    if request.method == "POST":
        if form.is_valid():
            try:
                message = _share(model, form)
            except TermsForbid as error:
                form.add_error("licence", str(error.message))
            except ReviewRefused as error:
                form.add_error(None, str(error.message))
            else:
                messages.success(request, message)
                return redirect("catalog:model_publish", handle, name)
        status = HTTPStatus.UNPROCESSABLE_ENTITY
    requests = model.publication_requests.select_related("licence").order_by("-created_at")
    last = requests.first()
    context = {
        "model": model,
        "version": version,
        "form": form,
        "last": last,
        "is_waiting": last is not None and last.state == PublicationRequest.State.WAITING,
    }
    return render(request, "catalog/model_publish.html", context, status=status)


def _share(model: CatalogModel, form: PublishForm) -> str:
    """Do what was chosen; return what there is to say about it."""
    visibility = form.cleaned_data["visibility"]
    if visibility == Visibility.PRIVATE:
        sharing.make_private(model=model)
        return _("Only you can have this model now. What others made from it stays theirs.")
    licence = form.chosen_licence()
    if visibility == Visibility.UNLISTED:
        sharing.make_unlisted(model=model, licence=licence)
        return _("Whoever knows the address can have this model now.")
    asked = reviews.ask_for_publication(model=model, licence=licence, message=form.cleaned_data["message"])
    if asked is None:
        return _("Everybody can find this model now.")
    return _("We have been asked. You get an e-mail once somebody has looked at the model.")


@require_POST
@login_required
def take_back_request(request: HttpRequest, handle: str, name: str) -> HttpResponse:
    """Take back that an own model shall be public."""
    model = own_model(request, handle, name)
    try:
        reviews.take_back_request(model=model)
    except ReviewRefused as error:
        messages.error(request, str(error.message))
    else:
        messages.success(request, _("Taken back. The model is as it was."))
    return redirect("catalog:model_publish", handle, name)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def withdraw_model(request: HttpRequest, handle: str, name: str) -> HttpResponse:
    """Take an own model out of the catalog, with a reason that its page goes on to show."""
    model = own_model(request, handle, name)
    form = WithdrawForm(request.POST if request.method == "POST" else None)
    status = HTTPStatus.OK
    if request.method == "POST":
        if form.is_valid():
            try:
                sharing.withdraw_model(model=model, reason=form.cleaned_data["reason"], by=model.owner)
            except CatalogError as error:
                form.add_error(None, str(error.message))
            else:
                messages.success(request, _("Withdrawn. What was made with it stays."))
                return redirect("catalog:model_publish", handle, name)
        status = HTTPStatus.UNPROCESSABLE_ENTITY
    return render(request, "catalog/model_withdraw.html", {"model": model, "form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@reached_model
def report_model(request: HttpRequest, model: CatalogModel) -> HttpResponse:
    """Say what is wrong with a model; no account is needed."""
    reporter = request.user if isinstance(request.user, User) else None
    form = ReportForm(request.POST if request.method == "POST" else None, reporter=reporter)
    status = HTTPStatus.OK
    if request.method == "POST":
        if form.is_valid():
            if not consume(request, action=REPORTS):
                refused: HttpResponse = respond_429(request)
                return refused
            reviews.report_model(model=model, reporter=reporter, **form.cleaned_data)
            messages.success(request, _("Thank you. Somebody looks at it."))
            return redirect("catalog:model_detail", model.owner.handle, model.name)
        status = HTTPStatus.UNPROCESSABLE_ENTITY
    return render(request, "catalog/model_report.html", {"model": model, "form": form}, status=status)


@require_safe
@reached_model
def show_lineage(request: HttpRequest, model: CatalogModel) -> HttpResponse:
    """Show what a model was made from as a graph, and which of its terms come from where."""
    context = page_context(request, model, tab="lineage")
    version = context["version"]
    context["graph"] = lineage_graph.draw(version, request.user) if version else None
    context["made_into"] = lineage.made_into(version.source, request.user) if version else []
    return render(request, "catalog/model_lineage.html", context)


def _newest(model: CatalogModel) -> ModelVersion | None:
    return model.versions.select_related("licence", "source__licence").order_by("-number").first()
