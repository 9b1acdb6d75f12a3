"""The row lock at work, on real PostgreSQL with real threads."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from accounts.models import User
from billing import services
from billing.exceptions import CreditsShort
from billing.models import CreditAccount, CreditHold
from billing.selectors import ledger_differences

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

THREADS, HOLDS_EACH, AMOUNT, CREDITS = 16, 40, 5, 1000


def spend(user):
    """Try to hold from many threads at once; return how many holds succeeded and what else went wrong."""
    start = threading.Barrier(THREADS)

    def run(_):
        succeeded, errors = 0, []
        start.wait()
        try:
            for _ in range(HOLDS_EACH):
                try:
                    services.hold_credits(user=user, work_ref=uuid.uuid4(), amount=AMOUNT, label="work")
                    succeeded += 1
                except CreditsShort:
                    pass
                except Exception as error:
                    errors.append(error)
        finally:
            connection.close()
        return succeeded, errors

    with ThreadPoolExecutor(THREADS) as pool:
        results = list(pool.map(run, range(THREADS)))
    return sum(count for count, _ in results), [error for _, errors in results for error in errors]


def rich_user():
    user = User.objects.create_user(f"{uuid.uuid4()}@example.com")
    account = services.open_account(user=user)
    services.grant_credits(
        account=account, source="pack", source_ref=f"test:{user.pk}", amount=CREDITS - account.available
    )
    return user


def test_sixteen_threads_spend_exactly_what_there_is():
    for _ in range(10):
        user = rich_user()
        succeeded, errors = spend(user)
        account = CreditAccount.objects.get(user=user)
        assert (succeeded, errors) == (CREDITS // AMOUNT, [])
        assert (account.available, account.held) == (0, CREDITS)
        assert ledger_differences(account) == {}


def test_without_the_lock_the_same_test_fails(monkeypatch):
    monkeypatch.setattr(services, "_lock", lambda pk: CreditAccount.objects.get(pk=pk))
    user = rich_user()
    succeeded, errors = spend(user)
    account = CreditAccount.objects.get(user=user)
    held = CreditHold.objects.filter(account=account).count() * AMOUNT
    assert errors or succeeded != CREDITS // AMOUNT or held != account.held or ledger_differences(account)
