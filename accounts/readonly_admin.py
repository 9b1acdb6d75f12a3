"""Admin pages that are read and not edited: whatever is posted to them beyond what they offer is refused."""

from typing import Any, NoReturn

from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from accounts.models import User


def staff_of(request: HttpRequest) -> User:
    """Return who is signed in: the admin site lets nobody else come here. Raises PermissionDenied."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


class ReadOnly:
    """An admin page, or a part of one, on which nothing can be added, changed or deleted."""

    def has_add_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Refuse: rows are made by the work itself."""
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Refuse: every change is an action with its reason."""
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Refuse: a row goes with what it belongs to."""
        return False


class ReadOnlyAdmin(ReadOnly, admin.ModelAdmin[Any]):
    """Rows to be read. Only actions that this member of staff is offered may be posted; all else gets 403."""

    show_full_result_count = False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list, and refuse an action that was not offered."""
        if request.method == "POST" and request.POST.get("action", "") not in self.get_actions(request):
            self.refuse(request, f"action {request.POST.get('action', '')!r}")
        return super().changelist_view(request, extra_context)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show a row, and refuse whatever is posted to it."""
        if request.method == "POST":
            self.refuse(request, "a change", object_id)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Refuse."""
        self.refuse(request, "a deletion", object_id)

    def refuse(self, request: HttpRequest, what: str, object_id: str | None = None) -> NoReturn:
        """Answer 403, and leave a line in the audit."""
        LogEntry.objects.create(
            user=staff_of(request),
            content_type=ContentType.objects.get_for_model(self.model),
            object_id=object_id,
            object_repr=(object_id or str(self.opts.verbose_name_plural))[:200],
            action_flag=CHANGE,
            change_message=f"Refused: {what}"[:500],
        )
        raise PermissionDenied
