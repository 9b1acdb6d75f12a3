"""The demo account of a studio on one machine: somebody to be on the first visit."""

from dataclasses import dataclass
from pathlib import Path

from accounts import services
from accounts.models import User
from config import environment

EMAIL = "demo@atelier.local"


@dataclass(frozen=True, kw_only=True)
class DemoLogin:
    """Who can sign in; `password` is None when its owner has changed it."""

    user: User
    password: str | None


def ensure_demo_login(data_dir: Path) -> DemoLogin:
    """Make the demo account with a password of its own, kept in the data directory; idempotent."""
    password = environment.kept_secret(data_dir / "demo-password", length=9)
    user = services.ensure_user(email=EMAIL, password=password, handle="demo", display_name="Demo")
    return DemoLogin(user=user, password=password if user.check_password(password) else None)
