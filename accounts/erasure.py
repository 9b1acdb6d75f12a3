"""Erasing an account: asked for in a moment, done as soon as everybody who has to be told first was.

Whoever asks is signed out everywhere at once and cannot come back. The dispatcher then tells each app in turn
(billing ends subscriptions, jobs stop) and deletes the person with everything that is theirs. What cannot be
told now, because Stripe is away or a training still saves itself, is told in the next round: until then
nothing is deleted, so nothing is lost. The ledger stays, without the person; stored files go with the daily
sweep.
"""

import logging
from collections.abc import Callable

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.exceptions import EraseRefusedError, NotYetError
from accounts.models import Erasure, User

logger = logging.getLogger(__name__)

# Tells an app, outside any transaction, that a person will be erased. It may be called again; what it raises
# puts the deletion off to the next round.
Farewell = Callable[[User], None]

_farewells: dict[str, Farewell] = {}


def call_before_erasure(name: str, farewell: Farewell) -> None:
    """Have this called before somebody is deleted, in the order of the apps; each app has one at most."""
    _farewells[name] = farewell


@transaction.atomic
def request_erasure(*, user: User) -> Erasure:
    """Plan the deletion of an account and of everything that is its owner's; there is no way back.

    Effect: the account is signed out everywhere and cannot sign in any more; the dispatcher does the rest.
    Errors: EraseRefusedError for staff, whose names stand in the audit.
    """
    if user.is_staff:
        raise EraseRefusedError(
            _("Staff are not erased, because the audit names them. Take the staff status away first.")
        )
    User.objects.filter(pk=user.pk).update(is_active=False)
    user.is_active = False
    erasure, _is_new = Erasure.objects.get_or_create(user=user)
    return erasure


def erase_accounts() -> int:
    """Delete the accounts whose deletion was asked for; return how many. Called every minute.

    Transaction: one an account. One that cannot be deleted yet holds up no other.
    """
    return sum(_erase(erasure) for erasure in Erasure.objects.select_related("user"))


def _erase(erasure: Erasure) -> bool:
    try:
        for farewell in _farewells.values():
            farewell(erasure.user)
        with transaction.atomic():
            erasure.user.delete()
    except NotYetError as reason:
        logger.info("Account %s is not erased yet: %s", erasure.user_id, reason)
        return False
    except Exception:
        logger.exception("Account %s cannot be erased now; the next round tries again", erasure.user_id)
        return False
    return True
