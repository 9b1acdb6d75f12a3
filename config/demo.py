"""The demo account of a studio on one machine: somebody to be on the first visit."""

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from accounts import services
from accounts.models import User
from billing.models import CreditGrant
from billing.services import grant_credits, open_account
from config import environment

EMAIL = "demo@atelier.local"
# Enough for the first run and to try everything once; given once.
CREDITS = 2000


@dataclass(frozen=True, kw_only=True)
class DemoLogin:
    """Who can sign in; `password` is None when its owner has changed it."""

    user: User
    password: str | None


def ensure_demo_login(data_dir: Path) -> DemoLogin:
    """Make the demo account, with credits and a password that is kept in the data directory; idempotent."""
    password = environment.kept_secret(data_dir / "demo-password", length=9)
    user = services.ensure_user(email=EMAIL, password=password, handle="demo", display_name="Demo")
    if settings.CREDITS_ENABLED:
        grant_credits(
            account=open_account(user=user),
            source=CreditGrant.Source.PROMO,
            source_ref=f"demo:{user.pk}",
            amount=CREDITS,
            reason="To try the studio",
        )
    return DemoLogin(user=user, password=password if user.check_password(password) else None)
