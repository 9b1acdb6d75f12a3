"""What staff do for somebody who lost every second step of signing in."""

from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.adapter import get_adapter as get_sessions_adapter
from allauth.usersessions.models import UserSession
from django.db import transaction
from django.http import HttpRequest

from accounts.models import User


@transaction.atomic
def remove_second_steps(request: HttpRequest, *, user: User) -> int:
    """Remove somebody's authenticator app, passkeys and recovery codes; return how many of these there were.

    Effect: they sign in with their password alone, are signed out wherever they are noted as signed in (who
    holds what they lost may be there), and are told by mail once this is committed.
    """
    removed, _by_model = Authenticator.objects.filter(user=user).delete()
    if not removed:
        return 0
    get_sessions_adapter().end_sessions(UserSession.objects.filter(user=user))
    address = EmailAddress.objects.get_primary_email(user) or user.email
    transaction.on_commit(
        lambda: get_adapter(request).send_mail("account/email/second_steps_removed", address, {"user": user})
    )
    return int(removed)
