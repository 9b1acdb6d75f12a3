"""Machines: what each is and does now, and draining it."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from jobs import machines
from jobs.admin.base import Act, ActingAdmin
from jobs.models import Job, Machine

_LATEST = 10

DRAIN = Act(
    name="drain",
    permission="drain_machine",
    title=gettext_lazy("Drain"),
    explanation=gettext_lazy(
        "It takes no new jobs and ends those it has. When it is drained it can be switched off; it stays "
        "drained until you take it back, whether or not it is started again."
    ),
    suits=lambda machine: not machine.is_draining,
    do=lambda _request, machine, _reason: machines.drain_machine(machine=machine),
)
TAKE_BACK = Act(
    name="take_back",
    permission="drain_machine",
    title=gettext_lazy("Take back"),
    explanation=gettext_lazy("It takes jobs again."),
    suits=lambda machine: machine.is_draining,
    do=lambda _request, machine, _reason: machines.take_back_machine(machine=machine),
)


class PresenceFilter(admin.SimpleListFilter):
    """Whether a machine is there and takes jobs."""

    title = gettext_lazy("state")
    parameter_name = "presence"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Offer the states that a row says of itself."""
        return [
            ("here", gettext_lazy("here")),
            ("draining", gettext_lazy("draining")),
            ("away", gettext_lazy("away")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Machine]) -> QuerySet[Machine]:
        """Keep the machines in that state."""
        since = timezone.now() - machines.AWAY_AFTER
        if self.value() == "here":
            return queryset.filter(seen_at__gte=since)
        if self.value() == "draining":
            return queryset.filter(is_draining=True)
        return queryset.filter(seen_at__lt=since) if self.value() == "away" else queryset


@admin.register(Machine)
class MachineAdmin(ActingAdmin):
    """The list of machines and the page of one."""

    acts = (DRAIN, TAKE_BACK)
    list_display = (
        "__str__",
        "state_text",
        "does_now",
        "device_text",
        "device_memory",
        "speed_text",
        "seen_text",
    )
    list_filter = (PresenceFilter, "device")
    search_fields = ("host", "device_name")
    fieldsets = (
        (None, {"fields": ("host", "state_text", "does_now", "did_last")}),
        (
            gettext_lazy("What it is"),
            {
                "fields": (
                    "device_text",
                    "device_memory",
                    "cores",
                    "memory",
                    "speed_text",
                    "versions_text",
                    "registered_at",
                    "seen_text",
                )
            },
        ),
    )

    @admin.display(description=gettext_lazy("state"))
    def state_text(self, machine: Machine) -> str:
        """Working, idle, draining, drained or away."""
        held = machines.jobs_of(machine).count()
        if machines.is_away(machine):
            return _("away, to be drained") if machine.is_draining else _("away")
        if machine.is_draining:
            return _("draining: %(count)d left") % {"count": held} if held else _("drained")
        return _("working") if held else _("idle")

    @admin.display(description=gettext_lazy("does now"))
    def does_now(self, machine: Machine) -> str:
        """The jobs that it holds."""
        return _links(machines.jobs_of(machine))

    @admin.display(description=gettext_lazy("did last"))
    def did_last(self, machine: Machine) -> str:
        """The jobs that ended here last."""
        ended = Job.objects.filter(worker__startswith=f"{machine.name}:", finished_at__isnull=False)
        return _links(ended.order_by("-finished_at")[:_LATEST])

    @admin.display(description=gettext_lazy("device"), ordering="device")
    def device_text(self, machine: Machine) -> str:
        """The kind of the device and what its maker calls it."""
        return f"{machine.device}: {machine.device_name}" if machine.device_name else machine.device

    @admin.display(description=gettext_lazy("for jobs"), ordering="device_bytes")
    def device_memory(self, machine: Machine) -> str:
        """The memory that jobs can ask for."""
        return machines.gibibytes(machine.device_bytes)

    @admin.display(description=gettext_lazy("memory"), ordering="memory_bytes")
    def memory(self, machine: Machine) -> str:
        """The machine's memory."""
        return machines.gibibytes(machine.memory_bytes)

    @admin.display(description=gettext_lazy("speed"), ordering="speed")
    def speed_text(self, machine: Machine) -> str:
        """What it measured of itself: in billions of multiply-adds a second."""
        if machine.speed is None:
            return _("not measured yet")
        return _("%(billions)s GMAC/s") % {"billions": f"{machine.speed:,.0f}"}

    @admin.display(description=gettext_lazy("versions"))
    def versions_text(self, machine: Machine) -> str:
        """Of Atelier, Python, torch and the driver."""
        return ", ".join(f"{name} {version}" for name, version in sorted(machine.versions.items()))

    @admin.display(description=gettext_lazy("seen"), ordering="seen_at")
    def seen_text(self, machine: Machine) -> str:
        """How long ago it said that it is there."""
        if not machines.is_away(machine):
            return _("now")
        return _("%(time)s ago") % {"time": timesince(machine.seen_at, timezone.now())}


def _links(jobs: Any) -> SafeString | str:
    """Return links to jobs, with their state and progress."""
    rows = (
        (
            reverse("admin:jobs_job_change", args=[job.pk]),
            job.label or job.kind,
            job.get_state_display(),
            f"{job.step:,} / {job.total:,}" if job.total else "",
        )
        for job in jobs
    )
    return format_html_join(SafeString("<br>"), '<a href="{}">{}</a> {} {}', rows) or "-"
