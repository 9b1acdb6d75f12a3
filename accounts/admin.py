"""Users in Django admin."""

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.erasure import request_erasure
from accounts.exceptions import EraseRefusedError
from accounts.models import User
from accounts.readonly_admin import staff_of


@admin.register(User)
class UserAdmin(DjangoUserAdmin[User]):
    """Django's own, with an e-mail address in place of the user name."""

    add_form = AdminUserCreationForm
    ordering = ("-date_joined",)
    list_display = ("email", "handle", "is_active", "is_staff", "date_joined")
    search_fields = ("email", "handle", "display_name")
    readonly_fields = ("date_joined", "last_login")
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        (_("Profile"), {"fields": ("handle", "display_name")}),
        (
            _("Permissions"),
            {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")},
        ),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    actions = ("erase",)

    def has_delete_permission(self, _request: HttpRequest, _obj: User | None = None) -> bool:
        """Refuse: an account is erased, so that its subscription is canceled first."""
        return False

    def has_erase_permission(self, request: HttpRequest) -> bool:
        """Whether this member of staff may erase accounts."""
        return request.user.has_perm("accounts.delete_user")

    @admin.action(description=_("Erase with everything that is theirs"), permissions=["erase"])
    def erase(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """Plan the deletion of accounts."""
        for user in users:
            try:
                request_erasure(user=user)
            except EraseRefusedError as error:
                messages.error(request, str(error))
                continue
            note = "Asked for the account to be erased"
            LogEntry.objects.log_actions(staff_of(request).pk, users.filter(pk=user.pk), CHANGE, note)
            messages.success(request, _("Signed out. Everything that is theirs goes within the hour."))

    add_fieldsets = ((None, {"fields": ("email", "usable_password", "password1", "password2")}),)
