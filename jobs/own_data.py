"""What of somebody's jobs is taken along. See `accounts.belongings`."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from accounts.belongings import Entry, Part, json_lines, tell_counts
from accounts.models import User
from jobs.models import Job


def _describe(user: User) -> list[str]:
    return tell_counts(
        [
            (Job.objects.filter(owner=user), ngettext_lazy("%(count)s job", "%(count)s jobs", "count")),
        ]
    )


def _files(user: User) -> Iterator[Entry]:
    yield "jobs.jsonl", json_lines(
        Job.objects.filter(owner=user).order_by("created_at"),
        "id", "kind", "label", "state", "step", "total", "delivered", "price_held", "price_charged",
        "device", "error", "created_at", "started_at", "finished_at",
    )  # fmt: skip


JOBS = Part(name="jobs", title=_("What was worked on, with receipts"), describe=_describe, files=_files)
