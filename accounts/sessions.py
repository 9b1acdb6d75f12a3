"""Who a session belongs to, for the few places that read it in a query of their own."""

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.utils.crypto import constant_time_compare

from accounts.models import User


def is_session_of(session_data: str, user: User) -> bool:
    """Whether an unexpired session with this content signs this user in.

    The checks are those of `django.contrib.auth.get_user`: the session is ours (its signature), it is this
    user's, the backend is still in use, the account is active, and the password is the one with which the
    session began. A session that only an older SECRET_KEY verifies is refused here: Django renews it first.
    """
    session = SessionStore().decode(session_data)
    return (
        session.get(SESSION_KEY) == str(user.pk)
        and session.get(BACKEND_SESSION_KEY) in settings.AUTHENTICATION_BACKENDS
        and user.is_active
        and constant_time_compare(session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash())
    )


# By what a browser's User-Agent says: the first that is in it. Most name Chrome and Safari beside themselves.
_BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
_SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "CrOS": "ChromeOS",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}


def device_name(user_agent: str) -> str:
    """Return by which somebody knows a browser again, such as "Firefox, Windows"; "" for an unknown one."""
    names = (
        next((name for mark, name in marks.items() if mark in user_agent), "")
        for marks in (_BROWSERS, _SYSTEMS)
    )
    return ", ".join(filter(None, names))
