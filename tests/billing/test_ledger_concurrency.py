"""The row lock at work, on real PostgreSQL with real threads."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.db import DatabaseError, connection

from accounts.models import User
from billing import ledger, services
from billing.exceptions import CreditsShort
from billing.ledger import SYSTEM
from billing.models import CreditAccount, CreditGrant, CreditHold, Price
from billing.selectors import balance_of, ledger_differences

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

THREADS, HOLDS_EACH, AMOUNT, CREDITS = 16, 40, 5, 1000


def at_once(action, threads=THREADS):
    """Run `action` in many threads that start together; return what each returned."""
    start = threading.Barrier(threads)

    def run(_):
        start.wait()
        try:
            return action()
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


def spend(user):
    """Try again and again to hold credits; return how many holds succeeded."""
    succeeded = 0
    for _ in range(HOLDS_EACH):
        try:
            services.hold_credits(user=user, work_ref=uuid.uuid4(), amount=AMOUNT, label="work")
        except (CreditsShort, DatabaseError):
            continue
        succeeded += 1
    return succeeded


def new_user():
    return User.objects.create_user(f"{uuid.uuid4()}@example.com")


def rich_user():
    user = new_user()
    account = services.open_account(user=user)
    services.grant_credits(account=account, source="pack", source_ref=f"test:{user.pk}", amount=CREDITS - 125)
    return user


@pytest.mark.parametrize("run", range(10))
def test_sixteen_threads_spend_exactly_what_there_is(run):
    user = rich_user()
    assert sum(at_once(partial(spend, user))) == CREDITS // AMOUNT
    account = CreditAccount.objects.get(user=user)
    assert (account.available, account.held) == (0, CREDITS)
    assert ledger_differences(account) == {}


def test_without_the_row_lock_more_is_sold_than_there_is(monkeypatch):
    monkeypatch.setattr(ledger, "lock_account", lambda account_id: CreditAccount.objects.get(pk=account_id))
    user = rich_user()
    succeeded = sum(at_once(partial(spend, user)))
    account = CreditAccount.objects.get(user=user)
    assert succeeded == CreditHold.objects.filter(account=account).count()
    assert succeeded * AMOUNT > CREDITS
    assert ledger_differences(account)


def test_an_account_opens_once_however_many_come_first():
    user = new_user()
    accounts = at_once(lambda: services.open_account(user=user).pk)
    assert len(set(accounts)) == 1
    assert balance_of(user).available == 125


def test_one_reference_grants_once_however_many_deliver_it():
    user = rich_user()
    grant = partial(
        services.grant_credits, account=user.credit_account, source="pack", source_ref="cs:1", amount=10
    )
    assert len({grant.pk for grant in at_once(grant)}) == 1
    assert balance_of(user).available == CREDITS + 10


def test_work_is_settled_once_whoever_ends_it():
    user, work = rich_user(), uuid.uuid4()
    services.hold_credits(user=user, work_ref=work, amount=100, label="work")
    charges = iter(range(0, 100, 6))
    settled = at_once(lambda: services.settle_hold(work_ref=work, charge=next(charges)).charged)
    assert len(set(settled)) == 1
    assert balance_of(user).available == CREDITS - settled[0]


def test_a_fault_is_refunded_once_however_many_find_it():
    user, work = rich_user(), uuid.uuid4()
    services.hold_credits(user=user, work_ref=work, amount=100, label="work")
    services.settle_hold(work_ref=work, charge=100)
    at_once(lambda: services.refund_work(work_ref=work, amount=100, reason="fault", actor=SYSTEM).pk)
    assert CreditGrant.objects.filter(source_ref=f"jobrefund:{work}").count() == 1
    assert balance_of(user).available == CREDITS


def test_a_price_has_one_current_version_however_many_change_it():
    price = Price.objects.get(code="picture", is_current=True)
    at_once(lambda: services.revise_price(price=price).pk)
    versions = Price.objects.filter(code="picture")
    assert versions.filter(is_current=True).get().version == 1 + THREADS == versions.count()
