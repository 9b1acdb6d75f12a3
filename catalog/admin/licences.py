"""Licences and attributions in Django admin: edited, with what follows from it."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext as _

from catalog.licences import TITLES
from catalog.models import Attribution, Licence
from catalog.services.licences import refresh_outputs_commercial

LISTS = ("permissions", "conditions", "limitations", "use_restrictions")


class LicenceForm(forms.ModelForm[Licence]):
    """A licence whose lists may be empty: many a licence asks for nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = ", ".join(TITLES)
        for name in LISTS:
            self.fields[name].required = False
            self.fields[name].help_text = _("A JSON list of these words, or of your own: %(known)s.") % {
                "known": known
            }

    def clean(self) -> dict[str, Any]:
        """An empty field is an empty list."""
        values: dict[str, Any] = super().clean() or {}
        return values | {name: values.get(name) or [] for name in LISTS}


@admin.register(Licence)
class LicenceAdmin(admin.ModelAdmin[Licence]):
    """Licences: the common ones are brought up to date by `manage.py seed`, others are the operator's own."""

    form = LicenceForm
    list_display = ("name", "slug", "outputs_commercial", "derivatives", "share_alike", "is_offered")
    list_filter = ("is_offered", "outputs_commercial", "derivatives", "share_alike")
    search_fields = ("name", "slug", "spdx_id")
    formfield_overrides: ClassVar = {models.URLField: {"assume_scheme": "https"}}

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
