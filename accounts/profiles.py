"""What others see of a person: a name, and a public name that stands in addresses."""

import re

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.exceptions import HandleRefusedError
from accounts.models import FormerHandle, User

# Those of the studio itself; somebody called so could pass for it.
RESERVED_HANDLES = frozenset({"admin", "administration", "atelier", "staff", "studio", "support"})
# So many names that led to somebody stay theirs: nobody shall collect them.
MAX_FORMER_HANDLES = 5

_HANDLE = re.compile(r"[a-z0-9](?:[a-z0-9]|-(?!-)){1,38}[a-z0-9]")


def check_handle(*, user: User, handle: str) -> None:
    """Raise HandleRefusedError, with what to do, where somebody cannot have this public name."""
    if handle == user.handle:
        return
    if not _HANDLE.fullmatch(handle):
        raise HandleRefusedError(
            _("Use 3 to 40 small letters, digits and single hyphens; begin and end with a letter or a digit.")
        )
    # In this order: whoever leaves a name just now is still found by one of the two.
    is_taken = (
        handle in RESERVED_HANDLES
        or User.objects.filter(handle=handle).exists()
        or FormerHandle.objects.filter(handle=handle).exclude(user=user).exists()
    )
    if is_taken:
        raise HandleRefusedError(_("Somebody has this name, or had it. Choose another."))
    kept = user.former_handles.exclude(handle=handle).count()
    if kept >= MAX_FORMER_HANDLES:
        raise HandleRefusedError(
            _("Former names stay with an account, and these are many. Go back to one of them: %(names)s.")
            % {"names": ", ".join(user.former_handles.values_list("handle", flat=True))}
        )


def change_handle(*, user: User, handle: str) -> User:
    """Give somebody another public name; the one they had leads to them from now on.

    Transaction: one. Errors: HandleRefusedError as `check_handle` does.
    """
    try:
        with transaction.atomic():
            holder = User.objects.select_for_update().get(pk=user.pk)
            check_handle(user=holder, handle=handle)
            if handle != holder.handle:
                FormerHandle.objects.filter(user=holder, handle=handle).delete()
                FormerHandle.objects.create(user=holder, handle=holder.handle)
                User.objects.filter(pk=holder.pk).update(handle=handle)
    except IntegrityError as error:
        raise HandleRefusedError(_("Somebody has just taken this name. Choose another.")) from error
    user.handle = handle
    return user
