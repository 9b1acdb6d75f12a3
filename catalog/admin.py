"""The catalog in Django admin: models are read, licences edited, bases of text to image added."""

from http import HTTPStatus
from typing import ClassVar

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.decorators import permission_required
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _

from accounts.readonly_admin import ReadOnlyAdmin, staff_of
from catalog.bases import BasePreview, found_folders, preview_base
from catalog.exceptions import CatalogError
from catalog.forms import BaseForm
from catalog.licences import terms
from catalog.models import CatalogModel, Licence, ModelVersion, Visibility
from catalog.services import publish_base
from catalog.services.seed import ensure_publisher

# A view's permission: also that to add models, which the list itself does not offer.
_may_add = method_decorator(permission_required("catalog.add_catalogmodel", raise_exception=True))


@admin.register(Licence)
class LicenceAdmin(admin.ModelAdmin[Licence]):
    """Licences: the common ones are brought up to date by `manage.py seed`, others are the operator's own."""

    list_display = ("name", "slug", "outputs_commercial", "derivatives", "share_alike")
    formfield_overrides: ClassVar = {models.URLField: {"assume_scheme": "https"}}

    def get_readonly_fields(self, request: HttpRequest, obj: Licence | None = None) -> tuple[str, ...]:
        """Keep the name by which versions know a licence."""
        return ("slug",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Licence | None = None) -> bool:
        """Refuse: versions and lineage point here."""
        return False


@admin.register(CatalogModel)
class CatalogModelAdmin(ReadOnlyAdmin):
    """Models, and the page on which a folder of the server becomes a base."""

    list_display = ("title", "address", "family", "visibility", "created_at", "withdrawn_at")
    list_filter = ("family", "visibility", "is_starter")
    list_select_related = ("owner",)
    search_fields = ("title", "name", "owner__handle", "owner__email")

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
