"""The record of withdrawn pictures in Django admin: read, never edited."""

from typing import ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.readonly_admin import ReadOnlyAdmin
from training.models import Withdrawal


@admin.register(Withdrawal)
class WithdrawalAdmin(ReadOnlyAdmin):
    """Who withdrew which picture from which frozen version, and when."""

    list_display = ("withdrawn_at", "picture_sha256", "version", "withdrawn_by")
    search_fields = ("picture_sha256", "version__sha256", "withdrawn_by__email")
    date_hierarchy = "withdrawn_at"
    list_select_related: ClassVar = ("version", "withdrawn_by")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Withdrawal]:
        """Leave the versions' lists of pictures alone: they have up to 25,000 entries each."""
        found: QuerySet[Withdrawal] = super().get_queryset(request)
        return found.defer("version__pictures", "version__report")
