"""The one rule of privacy: a row is its owner's. A stranger's query finds nothing, so a stranger gets 404."""

from typing import TYPE_CHECKING, Any, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models

if TYPE_CHECKING:
    from accounts.models import User


class OwnedQuerySet(models.QuerySet[Any]):
    """Rows with an `owner` column."""

    def owned_by(self, user: "User | AnonymousUser") -> Self:
        """Keep only this user's rows; none for someone who is not signed in."""
        if not user.is_authenticated:
            return self.none()
        return self.filter(owner=user)
