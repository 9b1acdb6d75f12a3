"""Licences and attributions in Django admin: edited, with what follows from it."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from catalog.admin.licence_form import LicenceForm
from catalog.models import Attribution, Licence
from catalog.services.licences import refresh_outputs_commercial
from catalog.services.seed import common_licences

_COMMON = _(
    "One of the common licences: “manage.py seed” writes its terms anew with every update. Whether it is "
    "offered is yours to decide; for other terms, add a licence of your own."
)


@admin.register(Licence)
class LicenceAdmin(admin.ModelAdmin[Licence]):
    """Licences: the common ones are brought up to date by `manage.py seed`, others are the operator's own."""

    form = LicenceForm
    list_display = ("name", "slug", "outputs_commercial", "derivatives", "share_alike", "is_offered")
    list_filter = ("is_offered", "outputs_commercial", "derivatives", "share_alike")
    search_fields = ("name", "slug", "spdx_id")
    formfield_overrides: ClassVar = {models.URLField: {"assume_scheme": "https"}}
    fieldsets = (
        (None, {"fields": ("name", "slug", "spdx_id", "url", "summary", "is_offered")}),
        (
            _("Terms"),
            {
                "fields": (
                    "permissions",
                    "conditions",
                    "limitations",
                    "use_restrictions",
                    "further_restrictions",
                )
            },
        ),
        (
            _("What the studio computes with"),
            {
                "description": _(
                    "Terms of several licences are put together along a model's line, and what they forbid "
                    "is refused: publishing, training from it, offering it for money."
                ),
                "fields": ("outputs_commercial", "derivatives", "share_alike", "attribution_required"),
            },
        ),
        (_("Text"), {"classes": ("collapse",), "fields": ("full_text",)}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Licence | None = None) -> Any:
        """Say of a common licence that its terms are not kept when they are edited here."""
        fieldsets = list(super().get_fieldsets(request, obj))
        if obj is not None and obj.slug in common_licences():
            title, first = fieldsets[0]
            fieldsets[0] = (title, {**first, "description": _COMMON})
        return fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Licence | None = None) -> tuple[str, ...]:
        """Keep the name by which versions know a licence."""
        return ("slug",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Licence | None = None) -> bool:
        """Refuse: versions and lineage point here."""
        return False

    def save_model(self, request: HttpRequest, obj: Licence, form: Any, change: bool) -> None:
        """Save it, and what the directory filters by of all models whose lines have it."""
        super().save_model(request, obj, form, change)
        if change:
            refresh_outputs_commercial()


@admin.register(Attribution)
class AttributionAdmin(admin.ModelAdmin[Attribution]):
    """Who is behind which model, and what they did."""

    list_display = ("name", "role", "model", "link")
    list_select_related = ("model",)
    search_fields = ("name", "role", "model__title", "model__name")
    raw_id_fields = ("model",)
    formfield_overrides: ClassVar = {models.URLField: {"assume_scheme": "https"}}
