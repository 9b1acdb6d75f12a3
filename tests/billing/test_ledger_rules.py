"""What the database refuses, and the rules that random histories do not reach."""

import uuid
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts.models import User
from billing import services
from billing.exceptions import AccountBlocked, CreditsShort
from billing.models import CreditEntry, CreditHold, CreditTxn, Price
from billing.selectors import balance_of, plan_limits, plan_of, quote_price, receipt_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def user():
    user = User.objects.create_user("ada@example.com")
    services.open_account(user=user)
    return user


def test_an_account_opens_once_with_the_free_credits(user):
    services.open_account(user=user)
    assert balance_of(user).available == 125
    assert plan_of(user).slug == "free"


def test_credits_short_says_what_is_missing(user):
    with pytest.raises(CreditsShort) as short:
        services.hold_credits(user=user, work_ref=uuid.uuid4(), amount=1000, label="AI Training")
    assert short.value.missing == 875
    assert "875" in str(short.value)
    assert balance_of(user).held == 0


def test_debt_is_settled_first_and_blocks_until_then(user):
    account = user.credit_account
    account.debt = 50
    account.save()
    # A debt is written by a clawback, which keeps the entries in step; this one is only for the rule.
    with pytest.raises(AccountBlocked):
        services.hold_credits(user=user, work_ref=uuid.uuid4(), amount=5, label="work")
    services.grant_credits(account=account, source="pack", source_ref="test:pack", amount=80)
    account.refresh_from_db()
    assert (account.debt, account.available) == (0, 125 + 30)
    assert services.hold_credits(user=user, work_ref=uuid.uuid4(), amount=5, label="work")


def test_nothing_is_held_for_nothing(user):
    assert services.hold_credits(user=user, work_ref=uuid.uuid4(), amount=0, label="work") is None
    assert services.settle_hold(work_ref=uuid.uuid4(), charge=0) is None


def test_a_hold_is_never_charged_beyond_itself(user):
    work = uuid.uuid4()
    services.hold_credits(user=user, work_ref=work, amount=10, label="work")
    with pytest.raises(ValueError, match="cannot be charged 11"):
        services.settle_hold(work_ref=work, charge=11)
    hold = receipt_of(work).get()
    assert hold.state == CreditHold.State.HELD


def test_a_late_release_comes_back_as_seven_days_of_goodwill(user):
    account = user.credit_account
    soon = timezone.now() + timedelta(hours=1)
    services.grant_credits(account=account, source="plan", source_ref="inv:1", amount=40, expires_at=soon)
    work = uuid.uuid4()
    services.hold_credits(user=user, work_ref=work, amount=40, label="work")
    account.grants.filter(source_ref="inv:1").update(expires_at=timezone.now() - timedelta(hours=1))
    services.settle_hold(work_ref=work, charge=0)
    goodwill = account.grants.get(source="goodwill")
    assert goodwill.remaining == 40
    assert timedelta(days=6, hours=23) < goodwill.expires_at - timezone.now() <= timedelta(days=7)
    assert balance_of(user).available == 125 + 40


def test_entries_are_never_changed_or_deleted(user):
    entry = CreditEntry.objects.first()
    for attempt in (
        lambda: CreditEntry.objects.filter(pk=entry.pk).update(amount=1),
        lambda: CreditEntry.objects.filter(pk=entry.pk)._raw_delete("default"),
        lambda: CreditTxn.objects.filter(pk=entry.txn_id).update(reason="x"),
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            attempt()


def test_truncate_is_refused_outside_test_databases(user):
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("SET LOCAL atelier.allow_truncate = 'off'")
        cursor.execute("TRUNCATE billing_creditentry")


def test_a_transaction_that_does_not_sum_to_zero_is_refused(user):
    txn = CreditTxn.objects.create(key="test:odd", kind="grant", account=user.credit_account)
    with pytest.raises(DatabaseError, match="not to 0"), transaction.atomic(), connection.cursor() as cursor:
        CreditEntry.objects.create(txn=txn, bucket="available", amount=5)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_prices_are_rows_and_house_mode_has_none(user, settings):
    assert quote_price("picture", 4).credits == 20
    assert quote_price("experiment-64", 2500).credits == 25
    settings.CREDITS_ENABLED = False
    assert quote_price("picture", 4).credits == 0


def test_a_changed_price_is_a_new_version(user):
    price = Price.objects.get(code="picture")
    price.credits = 7
    services.revise_price(price=price)
    assert quote_price("picture").credits == 7
    assert [p.version for p in Price.objects.filter(code="picture")] == [2, 1]


def test_limits_are_those_of_the_plan_in_one_query(user, django_assert_num_queries):
    with django_assert_num_queries(1):
        limits = plan_limits(user.pk)
    assert (limits.weight, limits.experiments_at_once, limits.hours_at_a_time) == (1, 1, 3)
    assert plan_limits(uuid.uuid4()) == limits


def test_house_mode_has_one_plan_for_everybody(user, settings):
    settings.CREDITS_ENABLED = False
    assert plan_of(user).slug == "house"
    assert plan_limits(user.pk).hours_at_a_time is None
