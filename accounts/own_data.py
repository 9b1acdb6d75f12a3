"""What of the account itself is taken along. See `accounts.belongings`."""

from collections.abc import Iterator

from allauth.account.models import EmailAddress
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


ACCOUNT = Part(name="account", title=_("Your account"), describe=_describe, files=_files)
