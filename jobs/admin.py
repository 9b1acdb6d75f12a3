"""Jobs in Django admin: what each does and did, to be read and not to be changed."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from jobs.models import Job, JobEvent


class ReadOnly:
    """An admin page on which nothing can be added, changed or deleted."""

    def has_add_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Refuse: jobs are submitted."""
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Refuse: every change of a job is a move with its cause."""
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Refuse: a job goes with the work that points to it."""
        return False


class TimelineInline(ReadOnly, admin.TabularInline[JobEvent, Job]):
    """Every change of the job's state, with its cause."""

    model = JobEvent
    verbose_name_plural = _("timeline")
    fields: ClassVar = ("at", "from_state", "to_state", "attempt", "cause", "worker")
    readonly_fields: ClassVar = fields


@admin.register(Job)
class JobAdmin(ReadOnly, admin.ModelAdmin[Job]):
    """The list of jobs and the page of one."""

    list_display = [
        "label",
        "kind",
        "state",
        "owner",
        "progress_text",
        "attempt",
        "failures",
        "worker",
        "created_at",
    ]
    list_filter = ["state", "queue", "kind", "created_at"]
    list_select_related = ["owner"]
    search_fields = ["=id", "owner__email", "label", "worker", "error_reference"]
    show_full_result_count = False
    inlines: ClassVar = [TimelineInline]

    @admin.display(description=_("progress"))
    def progress_text(self, job: Job) -> str:
        """Step and total."""
        return f"{job.step} / {job.total}" if job.total else "-"
