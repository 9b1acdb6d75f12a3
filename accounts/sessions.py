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
