"""Models in Django admin: read, featured, withdrawn; and folders of the server that become bases."""

from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _

from accounts.readonly_admin import staff_of
from catalog.bases import BasePreview, found_folders, preview_base
from catalog.exceptions import CatalogError
from catalog.forms import BaseForm
from catalog.licences import terms
from catalog.models import CatalogModel, ModelVersion, Visibility
from catalog.services import publish_base
from catalog.services.seed import ensure_publisher
from catalog.services.sharing import restore_model, set_featured, withdraw_model
from jobs.admin.base import Act, ActingAdmin

# A view's permission: also that to add models, which the list itself does not offer.
_may_add = method_decorator(permission_required("catalog.add_catalogmodel", raise_exception=True))


def _withdraw(request: HttpRequest, model: CatalogModel, reason: str) -> bool:
    withdraw_model(model=model, reason=reason, by=staff_of(request))
    return True


def _restore(_request: HttpRequest, model: CatalogModel, _reason: str) -> bool:
    restore_model(model=model)
    return True


def _feature(is_featured: bool) -> Callable[[HttpRequest, CatalogModel, str], bool]:
    def do(_request: HttpRequest, model: CatalogModel, _reason: str) -> bool:
        set_featured(model=model, is_featured=is_featured)
        return True

    return do


WITHDRAW = Act(
    name="withdraw",
    permission="withdraw_catalogmodel",
    title=_("Withdraw"),
    explanation=_(
        "It leaves the directory, and nobody but its publisher can open or use it; what was made with it "
        "stays. The publisher gets an e-mail with the reason, and its page shows it."
    ),
    suits=lambda model: model.withdrawn_at is None,
    do=_withdraw,
)
RESTORE = Act(
    name="restore",
    permission="withdraw_catalogmodel",
    title=_("Undo the withdrawal"),
    explanation=_("It is as visible as it was before it was withdrawn."),
    suits=lambda model: model.withdrawn_at is not None,
    do=_restore,
)
FEATURE = Act(
    name="feature",
    permission="feature_catalogmodel",
    title=_("Feature"),
    explanation=_("The catalog shows it first."),
    suits=lambda model: model.featured_at is None and model.visibility == Visibility.PUBLIC,
    do=_feature(True),
)
UNFEATURE = Act(
    name="unfeature",
    permission="feature_catalogmodel",
    title=_("Feature no longer"),
    explanation=_("It stands in the catalog like every other model."),
    suits=lambda model: model.featured_at is not None,
    do=_feature(False),
)


@admin.register(CatalogModel)
class CatalogModelAdmin(ActingAdmin):
    """Models, what may be done with them, and the page on which a folder of the server becomes a base."""

    acts = (FEATURE, UNFEATURE, WITHDRAW, RESTORE)
    refusals = (CatalogError,)
    longest_reason = 500
    change_form_template = "admin/jobs/change_form.html"
    list_display = (
        "title",
        "address",
        "family",
        "visibility",
        "featured_at",
        "withdrawn_at",
    )
    list_filter = (
        "family",
        "visibility",
        "is_starter",
        ("featured_at", admin.EmptyFieldListFilter),
        ("withdrawn_at", admin.EmptyFieldListFilter),
    )
    exclude = ("search",)
    list_select_related = ("owner",)
    search_fields = ("title", "name", "owner__handle", "owner__email")

    def view_on_site(self, obj: CatalogModel) -> str:
        """Return the address of the model's own page, which staff look at before they decide."""
        return reverse("catalog:model_detail", args=[obj.owner.handle, obj.name])

    def get_urls(self) -> list[URLPattern]:
        """Add the page for bases."""
        view = self.admin_site.admin_view(self.add_base_view)
        return [path("add-base/", view, name="catalog_catalogmodel_add_base"), *super().get_urls()]

    @_may_add
    def add_base_view(self, request: HttpRequest) -> HttpResponse:
        """Show what a folder holds and asks for; add it when that was confirmed."""
        form = BaseForm(request.POST if request.method == "POST" else None)
        preview: BasePreview | None = None
        status = HTTPStatus.OK
        if form.is_bound:
            status = HTTPStatus.UNPROCESSABLE_ENTITY
            if form.is_valid():
                try:
                    preview = preview_base(settings.BASES_DIR / form.cleaned_data["folder"])
                    if "confirmed" in request.POST:
                        return self._added(request, form, preview)
                    status = HTTPStatus.OK
                except CatalogError as error:
                    preview = None
                    form.add_error(None, str(error.message))
        licence = form.cleaned_data["licence"] if preview else None
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Add a base for Text to Image"),
            "form": form,
            "folders": found_folders(),
            "bases_dir": settings.BASES_DIR,
            "preview": preview,
            "licence": licence,
            "conditions": terms(licence.conditions) if licence else [],
        }
        template = "admin/catalog/catalogmodel/add_base.html"
        return TemplateResponse(request, template, context, status=status)

    def _added(self, request: HttpRequest, form: BaseForm, preview: BasePreview) -> HttpResponse:
        version = _publish(request, form, preview)
        LogEntry.objects.log_actions(
            staff_of(request).pk,
            CatalogModel.objects.filter(pk=version.model_id),
            ADDITION,
            f"Added the base in {preview.folder.name} under the licence {version.licence_id}",
        )
        messages.success(request, _("“%(title)s” can be used now.") % {"title": version.model.title})
        return redirect(reverse("admin:catalog_catalogmodel_changelist"))


def _publish(request: HttpRequest, form: BaseForm, preview: BasePreview) -> ModelVersion:
    """What is for everybody belongs to the studio, the rest to whoever added it."""
    is_public = form.cleaned_data["public"]
    return publish_base(
        owner=ensure_publisher() if is_public else staff_of(request),
        folder=preview.folder,
        name=form.cleaned_data["name"].lower(),
        title=form.cleaned_data["title"],
        licence=form.cleaned_data["licence"],
        visibility=Visibility.PUBLIC if is_public else Visibility.PRIVATE,
    )
