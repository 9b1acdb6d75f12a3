"""Credits for tests."""

import uuid

from accounts.models import User
from billing.models import CreditAccount, CreditGrant
from billing.services import grant_credits, hold_credits, open_account, settle_hold


def give_credits(user: User, amount: int) -> CreditAccount:
    """Add credits to what a user has; return the account as it stands then."""
    account = open_account(user=user)
    grant_credits(
        account=account, source=CreditGrant.Source.PROMO, source_ref=f"test:{uuid.uuid4()}", amount=amount
    )
    account.refresh_from_db()
    return account


def set_credits(user: User, amount: int) -> CreditAccount:
    """Spend or add credits until a user has so many; return the account as it stands then."""
    account = open_account(user=user)
    surplus = account.available - amount
    if surplus < 0:
        return give_credits(user, -surplus)
    work_ref = uuid.uuid4()
    hold_credits(user=user, work_ref=work_ref, amount=surplus, label="spent in a test")
    settle_hold(work_ref=work_ref, charge=surplus)
    account.refresh_from_db()
    return account
