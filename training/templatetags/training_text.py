"""Durations in words."""

from django import template
from django.utils.translation import gettext as _

register = template.Library()


@register.filter
def duration(seconds: float | None) -> str:
    """Turn an estimated time into "about 4 min"; "not measured yet" where it is not known."""
    if seconds is None:
        return _("not measured yet")
    if seconds < 60:
        return _("less than a minute")
    minutes = round(seconds / 60)
    if minutes < 60:
        return _("about %(minutes)d min") % {"minutes": minutes}
    hours, minutes = divmod(minutes, 60)
    return _("about %(hours)d h %(minutes)02d min") % {"hours": hours, "minutes": minutes}
