"""What happens to accounts beyond what allauth does."""

from allauth.account.models import EmailAddress
from django.db import transaction

from accounts.models import User


def has_own_address(user: User) -> bool:
    """Return whether a user may be written to: an address that is not confirmed may be somebody else's."""
    return not EmailAddress.objects.filter(user=user, email__iexact=user.email, verified=False).exists()


@transaction.atomic
def ensure_user(*, email: str, password: str, handle: str, display_name: str) -> User:
    """Return the account with this address, made with a verified address when there is none.

    An existing account is left as it is, its password too.
    """
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        user = User.objects.create_user(email, password, handle=handle, display_name=display_name)
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user
