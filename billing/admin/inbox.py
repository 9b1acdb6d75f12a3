"""What Stripe said, and what somebody has to look at."""

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.readonly_admin import ReadOnlyAdmin, staff_of
from billing import ledger
from billing.models import Alert, Letter, StripeEvent
from billing.standing import settle_standing


@admin.register(StripeEvent)
class StripeEventAdmin(ReadOnlyAdmin):
    """Events in the order in which they came."""

    list_display = ("received_at", "type", "object_id", "state", "attempts", "problem")
    list_filter = ("state", "type")
    search_fields = ("event_id", "object_id")
    actions = ("try_again",)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Whether this member of staff may have events worked in again."""
        return request.user.has_perm("billing.resolve_alert")

    @admin.action(description=_("Work in again"), permissions=["retry"])
    def try_again(self, request: HttpRequest, events: QuerySet[StripeEvent]) -> None:
        """Have events worked in once more; what was worked in already changes nothing."""
        events.update(state=StripeEvent.State.PENDING, attempts=0, not_before=None, problem="")
        messages.success(request, _("They wait again, and are worked in within a minute."))


@admin.register(Letter)
class LetterAdmin(ReadOnlyAdmin):
    """E-mails about money: which were sent, and which wait for the mail server."""

    list_display = ("created_at", "subject", "account", "done_at", "attempts", "problem")
    list_filter = (("done_at", admin.EmptyFieldListFilter),)
    list_select_related = ("account__user",)
    search_fields = ("ref",)


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """What a person has to look at."""

    list_display = ("created_at", "kind", "account", "ref", "resolved_at", "resolved_by")
    list_filter = ("kind", ("resolved_at", admin.EmptyFieldListFilter))
    list_select_related = ("account__user", "resolved_by")
    actions = ("resolve",)

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        """Whether this member of staff may settle alerts."""
        return request.user.has_perm("billing.resolve_alert")

    @admin.action(description=_("Looked at: settle"), permissions=["resolve"])
    def resolve(self, request: HttpRequest, alerts: QuerySet[Alert]) -> None:
        """Settle alerts; an account that was paused for one may spend again."""
        staff = staff_of(request)
        for alert in alerts.filter(resolved_at__isnull=True):
            with transaction.atomic():
                Alert.objects.filter(pk=alert.pk).update(resolved_at=timezone.now(), resolved_by=staff)
                if alert.account_id is not None:
                    settle_standing(ledger.lock_account(alert.account_id), now=timezone.now())
                LogEntry.objects.log_actions(staff.pk, Alert.objects.filter(pk=alert.pk), CHANGE, "Settled")
        messages.success(request, _("Settled."))
