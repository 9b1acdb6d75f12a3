"""What of the account itself is taken along. See `accounts.belongings`."""

from collections.abc import Iterator

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.utils.translation import gettext_lazy as _

from accounts.belongings import Entry, Part, json_lines
from accounts.models import User


def _describe(user: User) -> list[str]:
    return [user.email]


def _files(user: User) -> Iterator[Entry]:
    me = User.objects.filter(pk=user.pk)
    yield (
        "account.jsonl",
        json_lines(me, "email", "handle", "display_name", "mail_when_ended", "date_joined", "last_login"),
    )
    addresses = EmailAddress.objects.filter(user=user).order_by("pk")
    yield "addresses.jsonl", json_lines(addresses, "email", "verified", "primary")
    yield "former-names.jsonl", json_lines(user.former_handles.all(), "handle", "left_at")
    # Not what is in them: a secret that left the studio would be none.
    steps = Authenticator.objects.filter(user=user).order_by("pk")
    yield "second-steps.jsonl", json_lines(steps, "type", "created_at", "last_used_at")
    sessions = UserSession.objects.filter(user=user).order_by("pk")
    yield "sessions.jsonl", json_lines(sessions, "created_at", "ip", "user_agent")


ACCOUNT = Part(name="account", title=_("Your account"), describe=_describe, files=_files)
