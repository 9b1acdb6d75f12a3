"""Users in Django admin."""

from collections.abc import Sequence

# Both register pages of their own, which are replaced below.
import allauth.mfa.admin
import allauth.usersessions.admin  # noqa: F401 -- for what it registers
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.erasure import request_erasure
from accounts.exceptions import EraseRefusedError, HandleRefusedError
from accounts.forms import AccountForm
from accounts.models import LegalPage, User
from accounts.profiles import change_handle
from accounts.readonly_admin import staff_of
from accounts.second_steps import remove_second_steps

# The one would show the secrets of second steps, the other keys of sessions, with which to sign in as others.
admin.site.unregister(Authenticator)
admin.site.unregister(UserSession)


@admin.register(User)
class UserAdmin(DjangoUserAdmin[User]):
    """Django's own, with an e-mail address in place of the user name."""

    add_form = AdminUserCreationForm
    form = AccountForm
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
    actions = ("erase", "remove_second_steps")

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool) -> None:
        """Store an account. The public name changes as on its own page: the former one leads to it."""
        if change and "handle" in form.changed_data:
            try:
                change_handle(user=obj, handle=obj.handle)
            except HandleRefusedError as refusal:  # somebody took it just now
                obj.handle = form.initial["handle"]
                messages.error(request, str(refusal))
        super().save_model(request, obj, form, change)

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

    def has_second_steps_permission(self, request: HttpRequest) -> bool:
        """Whether this member of staff may help people in who lost their second step."""
        return request.user.has_perm("accounts.change_user")

    @admin.action(
        description=_("Remove second steps of signing in (app, passkeys, codes)"),
        permissions=["second_steps"],
    )
    def remove_second_steps(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """Let people in with their passwords alone; of staff, only a superuser does so."""
        staff = staff_of(request)
        for user in users:
            if user.is_staff and not staff.is_superuser:
                messages.error(request, _("%(user)s is staff: ask a superuser.") % {"user": user})
            elif removed := remove_second_steps(request, user=user):
                note = f"Removed all {removed} second steps of signing in"
                LogEntry.objects.log_actions(staff.pk, users.filter(pk=user.pk), CHANGE, note)
                messages.success(
                    request, _("%(user)s signs in with the password alone now.") % {"user": user}
                )
            else:
                messages.info(request, _("%(user)s has no second step.") % {"user": user})

    add_fieldsets = ((None, {"fields": ("email", "usable_password", "password1", "password2")}),)


@admin.register(LegalPage)
class LegalPageAdmin(admin.ModelAdmin[LegalPage]):
    """Terms, privacy, acceptable use, and whatever else the studio has to say."""

    list_display = ("title", "slug", "is_shown", "position", "updated_at")
    list_editable = ("is_shown", "position")

    def get_readonly_fields(self, _request: HttpRequest, obj: LegalPage | None = None) -> tuple[str, ...]:
        """Keep the address of a page that is there: others may have linked to it."""
        return ("slug", "updated_at") if obj else ("updated_at",)

    def get_prepopulated_fields(
        self, _request: HttpRequest, obj: LegalPage | None = None
    ) -> dict[str, Sequence[str]]:
        """Propose an address for a new page."""
        return {} if obj else {"slug": ("title",)}
