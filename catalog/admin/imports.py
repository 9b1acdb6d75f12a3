"""Imports in Django admin: what was brought by whom, and what came of it."""

from typing import ClassVar

from django.contrib import admin

from accounts.readonly_admin import ReadOnlyAdmin
from catalog.models import ModelImport


@admin.register(ModelImport)
class ModelImportAdmin(ReadOnlyAdmin):
    """Imports, to be read: what becomes of them their owners decide."""

    list_display = ("filename", "owner", "kind", "stage", "size_bytes", "created_at")
    list_filter: ClassVar = ("stage", "kind")
    list_select_related = ("owner",)
    search_fields = ("filename", "title", "owner__handle", "owner__email")
