"""Durations in plain words."""

from django import template
from django.utils.translation import gettext as _

register = template.Library()

_MINUTE = 60
_HOUR = 3600


@register.filter
def time_left(seconds: float | None) -> str:
    """Say about how long something still takes, "about 4 min left"; nothing when nobody knows."""
    if seconds is None:
        return ""
    if seconds < _MINUTE:
        return _("less than 1 min left")
    if seconds < _HOUR:
        return _("about %(minutes)d min left") % {"minutes": round(seconds / _MINUTE)}
    hours, minutes = divmod(round(seconds / _MINUTE), 60)
    return _("about %(hours)d h %(minutes)d min left") % {"hours": hours, "minutes": minutes}
