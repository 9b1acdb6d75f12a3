"""What pages say of a job in words."""

from datetime import timedelta

from django import template
from django.utils.translation import gettext as _

from jobs import machines
from jobs.models import Job
from jobs.selectors import Receipt, receipt_of

register = template.Library()


@register.simple_tag(name="receipt_of")
def show_receipt(job: Job) -> Receipt | None:
    """Return what a job cost; None where nothing is priced. One query."""
    return receipt_of(job)


@register.filter
def starts_in(wait: timedelta | None) -> str:
    """Turn a wait into "starts in about 4 min"; "" when it is not known."""
    if wait is None:
        return ""
    seconds = wait.total_seconds()
    if seconds < 60:
        return _("starts in less than a minute")
    minutes = round(seconds / 60)
    if minutes < 60:
        return _("starts in about %(minutes)d min") % {"minutes": minutes}
    return _("starts in about %(hours)d h") % {"hours": round(minutes / 60)}


@register.filter
def time_left(seconds: float | None) -> str:
    """Turn seconds into "about 4 min left"; "" when they are not known."""
    if seconds is None:
        return ""
    if seconds < 60:
        return _("less than a minute left")
    minutes = round(seconds / 60)
    if minutes < 60:
        return _("about %(minutes)d min left") % {"minutes": minutes}
    hours, minutes = divmod(minutes, 60)
    return _("about %(hours)d h %(minutes)02d min left") % {"hours": hours, "minutes": minutes}


@register.filter
def fits_nowhere(job: Job) -> str:
    """Say why a waiting job fits on no machine at the moment; "" when it does."""
    return machines.explain_waiting(job)
