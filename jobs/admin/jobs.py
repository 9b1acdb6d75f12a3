"""Jobs: what each does and did, and the few things that staff may do with them."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin
from django.db import models
from django.db.models import Max, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.readonly_admin import ReadOnly, staff_of
from billing.models import CreditHold, CreditTxn
from jobs import machines, registry
from jobs.admin.base import Act, ActingAdmin
from jobs.admin.give_back import give_back
from jobs.administration import cancel_job, credits_charged, requeue_job_again
from jobs.models import Job, JobEvent, Machine, State

_RESUMED_FROM = (State.STOPPED, State.FAILED)


def is_resumable(job: Job) -> bool:
    """Whether a job of this kind can go on; no for a kind that this release does not know."""
    return job.kind in registry.names(job.queue) and registry.get(job.kind).resumable


def _cancel(request: HttpRequest, job: Job, reason: str) -> bool:
    cancel_job(job=job, staff=staff_of(request), reason=reason)
    return True


def _requeue(request: HttpRequest, job: Job, reason: str) -> bool:
    requeue_job_again(job=job, staff=staff_of(request), reason=reason)
    return True


CANCEL = Act(
    name="cancel",
    permission="cancel_job",
    title=_("Cancel"),
    explanation=_(
        "One that waits is canceled and its credits go back. One that runs saves what there is and stops; "
        "what was delivered is charged. The owner reads the reason."
    ),
    suits=lambda job: job.state in (State.QUEUED, State.RUNNING),
    do=_cancel,
)
REQUEUE = Act(
    name="requeue",
    permission="requeue_job",
    title=_("Queue again"),
    explanation=_(
        "One that runs is taken from its worker and waits again, to go on from what it has saved. One that "
        "was stopped or has failed waits as if its owner had resumed it, and holds credits again."
    ),
    suits=lambda job: job.state == State.RUNNING or (is_resumable(job) and job.state in _RESUMED_FROM),
    do=_requeue,
)


class MachineFilter(admin.SimpleListFilter):
    """On which machine a job was last."""

    title = _("machine")
    parameter_name = "machine"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        """Offer the machines that are known."""
        return [(machine.name, machine.name) for machine in Machine.objects.all()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        """Keep the jobs of one machine."""
        chosen = self.value()
        return queryset.filter(worker__startswith=f"{chosen}:") if chosen else queryset


class TroubleFilter(admin.SimpleListFilter):
    """What an operator looks for first."""

    title = _("trouble")
    parameter_name = "trouble"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Offer the kinds of trouble."""
        return [
            ("faults", _("with a fault")),
            ("fits-nowhere", _("fits on no machine")),
            ("held-back", _("over its owner's limit")),
            ("silent", _("its worker is silent")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        """Keep the jobs in that trouble."""
        now = timezone.now()
        if self.value() == "faults":
            return queryset.filter(failures__gt=0)
        if self.value() == "fits-nowhere":
            here = Machine.objects.filter(seen_at__gte=now - machines.AWAY_AFTER)
            largest = here.aggregate(largest=Max("device_bytes"))["largest"] or 0
            return queryset.filter(state=State.QUEUED, needs_bytes__gt=largest)
        if self.value() == "held-back":
            return queryset.filter(state=State.QUEUED, is_held_back=True)
        if self.value() == "silent":
            return queryset.filter(lease_until__lt=now)
        return queryset


class TimelineInline(ReadOnly, admin.TabularInline[JobEvent, Job]):
    """Every change of the job's state, with its cause."""

    model = JobEvent
    template = "admin/jobs/job/timeline.html"
    verbose_name_plural = _("timeline")
    fields: ClassVar = ("at", "from_state", "to_state", "attempt", "cause", "worker")
    readonly_fields: ClassVar = fields


@admin.register(Job)
class JobAdmin(ActingAdmin):
    """The list of jobs and the page of one."""

    acts = (CANCEL, REQUEUE)
    list_display = (
        "label",
        "state",
        "owner",
        "progress_text",
        "attempts_text",
        "credits_text",
        "machine_text",
        "created_text",
    )
    list_filter = ("state", "queue", TroubleFilter, MachineFilter, "kind", "created_at")
    list_select_related = ("owner",)
    search_fields = ("=id", "owner__email", "label", "worker", "error_reference")
    show_full_result_count = False
    list_per_page = 50
    inlines: ClassVar = [TimelineInline]
    fieldsets = (
        (
            None,
            {"fields": ("label", "kind_title", "owner", "state", "waiting_text", "progress_text", "error")},
        ),
        (_("Credits"), {"fields": ("price", "price_held", "price_charged", "delivered", "ledger_links")}),
        (_("Where"), {"fields": ("queue", "machine_link", "worker", "device", "threads", "needs_text")}),
        (
            _("Attempts"),
            {
                "fields": (
                    "attempt",
                    "failures",
                    "max_failures",
                    "error_reference",
                    "lease_until",
                    "heartbeat_at",
                )
            },
        ),
        (
            _("Times"),
            {
                "fields": (
                    "created_at",
                    "queued_at",
                    "not_before",
                    "started_at",
                    "deadline_at",
                    "seconds_left",
                    "cancel_requested_at",
                    "finished_at",
                )
            },
        ),
        (
            _("Place in the queue"),
            {"fields": ("turn", "is_held_back", "batch_key"), "classes": ("collapse",)},
        ),
    )

    # The list's columns and the page's facts

    @admin.display(description=_("kind"), ordering="kind")
    def kind_title(self, job: Job) -> str:
        """What people call this kind of work."""
        try:
            return str(registry.get(job.kind).title)
        except KeyError:
            return job.kind

    @admin.display(description=_("progress"))
    def progress_text(self, job: Job) -> str:
        """Step and total."""
        return f"{job.step:,} / {job.total:,}" if job.total else "-"

    @admin.display(description=_("created"), ordering="created_at")
    def created_text(self, job: Job) -> str:
        """When it was submitted, short."""
        return date_format(timezone.localtime(job.created_at), "y-m-d H:i")

    @admin.display(description=_("attempts"), ordering="attempt")
    def attempts_text(self, job: Job) -> str:
        """How often it was begun, and how often that failed."""
        return f"{job.attempt} ({job.failures} failed)" if job.failures else str(job.attempt)

    @admin.display(description=_("credits"), ordering="price_charged")
    def credits_text(self, job: Job) -> str:
        """Charged of held."""
        return f"{job.price_charged:,} / {job.price_held:,}" if job.price_held else "-"

    @admin.display(description=_("machine"), ordering="worker")
    def machine_text(self, job: Job) -> str:
        """Where it is, or was last."""
        return job.worker.split(":", 1)[0] or "-"

    @admin.display(description=_("machine"))
    def machine_link(self, job: Job) -> str:
        """The same, with the way there as long as the machine is known."""
        name = self.machine_text(job)
        machine = next((machine for machine in Machine.objects.all() if machine.name == name), None)
        if machine is None:
            return name
        url = reverse("admin:jobs_machine_change", args=[machine.pk])
        return format_html('<a href="{}">{}</a>', url, name)

    @admin.display(description=_("needs"))
    def needs_text(self, job: Job) -> str:
        """The memory of the device without which it is not begun."""
        return machines.gibibytes(job.needs_bytes) if job.needs_bytes else "-"

    @admin.display(description=_("waits because"))
    def waiting_text(self, job: Job) -> str:
        """Why it does not start, where there is more to say than that others come first."""
        if job.state == State.QUEUED and job.is_held_back:
            return str(_("Its owner has as many under way as the plan allows."))
        return machines.explain_waiting(job) or "-"

    @admin.display(description=_("in the ledger"))
    def ledger_links(self, job: Job) -> SafeString | str:
        """The movements of credits that belong to it."""
        found = CreditTxn.objects.filter(_key_of(job)).order_by("id")
        if not found:
            return "-"
        rows = (
            (reverse("admin:billing_credittxn_change", args=[txn.pk]), txn.key, txn.reason) for txn in found
        )
        return format_html_join(SafeString("<br>"), '<a href="{}">{}</a> {}', rows)

    # Giving credits back

    def may_give_back(self, request: HttpRequest) -> bool:
        """Whether this member of staff may give back credits."""
        return request.user.has_perm("jobs.release_credits")

    def get_urls(self) -> list[URLPattern]:
        """Add the page on which credits are given back."""
        view = self.admin_site.admin_view(self.give_back_view)
        return [path("<uuid:object_id>/give-back/", view, name="jobs_job_give_back"), *super().get_urls()]

    def give_back_view(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Give back credits of one job."""
        if not self.may_give_back(request):
            self.refuse(request, "giving credits back", str(object_id))
        job = self.get_object(request, str(object_id))
        if job is None:
            raise Http404
        return give_back(self, request, job)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show the button for it where something was charged."""
        job = context.get("original")
        context["can_give_back"] = (
            isinstance(job, Job) and self.may_give_back(request) and credits_charged(job) > 0
        )
        return super().render_change_form(request, context, *args, **kwargs)


def _key_of(job: Job) -> models.Q:
    """The transactions of a job: those of its holds, slice by slice, and what was given back."""
    slices = CreditHold.objects.filter(work_ref=job.pk).values_list("slice", flat=True)
    keys = [f"{kind}:{job.pk}:{number}" for number in slices for kind in ("hold", "capture", "release")]
    return models.Q(key__in=[*keys, f"grant:jobrefund:{job.pk}"])
