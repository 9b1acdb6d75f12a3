"""What the database refuses, and the rules that random histories do not reach."""

import uuid
from datetime import timedelta
from functools import partial

import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from accounts.models import User
from billing import services
from billing.exceptions import AccountBlocked, CreditsShort, ReasonMissing, ReferenceReused, RefundTooLarge
from billing.ledger import Actor
from billing.models import CreditAccount, CreditEntry, CreditGrant, CreditHold, CreditTxn, HoldPart, Price
from billing.selectors import (
    Balance,
    balance_of,
    ledger_differences,
    plan_limits,
    plan_of,
    quote_price,
    receipt_of,
)
from tests.billing.pair import owe

pytestmark = pytest.mark.django_db

ADA = Actor(id="1", name="Ada")


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


def test_debt_blocks_until_it_is_settled(user):
    owe(user.credit_account, 175, timezone.now())
    with pytest.raises(AccountBlocked, match="50 credits are owed"):
        services.hold_credits(user=user, work_ref=uuid.uuid4(), amount=5, label="work")
    services.grant_credits(account=user.credit_account, source="pack", source_ref="test:pack", amount=80)
    assert balance_of(user) == Balance(available=30, held=0, debt=0, is_paused=False)
    assert services.hold_credits(user=user, work_ref=uuid.uuid4(), amount=5, label="work")


def test_what_goes_back_settles_a_debt_first(user, hold):
    owe(user.credit_account, 120, timezone.now())
    services.settle_hold(work_ref=hold.work_ref, charge=2)
    assert balance_of(user) == Balance(available=3, held=0, debt=0, is_paused=False)
    assert ledger_differences(user.credit_account) == {}


def test_a_payment_under_dispute_pauses_spending_but_not_what_runs(user, hold):
    CreditAccount.objects.update(billing_hold=True)
    with pytest.raises(AccountBlocked, match="paused"):
        services.hold_credits(user=user, work_ref=uuid.uuid4(), amount=5, label="work")
    assert services.settle_hold(work_ref=hold.work_ref, charge=10).charged == 10


def test_a_reference_of_someone_else_or_of_another_amount_is_refused(user, hold):
    other = User.objects.create_user("bob@example.com")
    account = services.open_account(user=other)
    services.grant_credits(account=user.credit_account, source="pack", source_ref="cs:1", amount=20)
    same = {"source": "pack", "source_ref": "cs:1"}
    for attempt in (
        lambda: services.grant_credits(account=account, amount=20, **same),
        lambda: services.grant_credits(account=user.credit_account, amount=21, **same),
        lambda: services.hold_credits(user=other, work_ref=hold.work_ref, amount=10, label="work"),
        lambda: services.hold_credits(user=user, work_ref=hold.work_ref, amount=11, label="work"),
    ):
        with pytest.raises(ReferenceReused):
            attempt()
    assert balance_of(other).available == 125


def test_a_settled_slice_is_not_held_again(user, hold):
    services.settle_hold(work_ref=hold.work_ref, charge=10)
    with pytest.raises(ReferenceReused):
        services.hold_credits(user=user, work_ref=hold.work_ref, amount=10, label="work")


def test_amounts_below_zero_are_faults_of_the_caller(user):
    with pytest.raises(ValueError, match="below zero"):
        services.hold_credits(user=user, work_ref=uuid.uuid4(), amount=-5, label="work")
    with pytest.raises(ValueError, match="at least one"):
        services.grant_credits(account=user.credit_account, source="pack", source_ref="x", amount=0)
    with pytest.raises(ValueError, match="less than nothing"):
        quote_price("picture", -1)


def test_a_refund_of_work_happens_once_and_never_beyond_its_charge(user, hold):
    refund = partial(
        services.refund_work, work_ref=hold.work_ref, reason="The pictures were black", actor=ADA
    )
    with pytest.raises(RefundTooLarge, match="Nothing was charged"):
        refund(amount=1)
    services.settle_hold(work_ref=hold.work_ref, charge=8)
    with pytest.raises(RefundTooLarge, match="8 credits were charged"):
        refund(amount=9)
    with pytest.raises(ReasonMissing):
        refund(amount=5, reason="  ")
    grant = refund(amount=5)
    assert refund(amount=5) == grant
    with pytest.raises(ReferenceReused):
        refund(amount=3)
    assert grant.source_ref == f"jobrefund:{hold.work_ref}"
    assert balance_of(user).available == 125 - 8 + 5
    txn = CreditTxn.objects.get(key=f"grant:{grant.source_ref}")
    assert (txn.actor_id, txn.actor_name, txn.reason) == ("1", "Ada", "The pictures were black")


def test_work_that_never_held_anything_has_nothing_to_refund():
    with pytest.raises(RefundTooLarge):
        services.refund_work(work_ref=uuid.uuid4(), amount=1, reason="x", actor=ADA)


def test_goodwill_is_given_once_a_form(user):
    give = partial(
        services.grant_goodwill,
        account=user.credit_account,
        amount=50,
        reason="Sorry",
        actor=ADA,
        token=uuid.uuid4(),
    )
    assert [give(), give()] == [True, False]
    assert balance_of(user).available == 175


def test_the_sweep_lets_lapse_what_nobody_touches(user):
    past = timezone.now() - timedelta(hours=1)
    grant = {"account": user.credit_account, "source": "plan", "amount": 40, "expires_at": past}
    services.grant_credits(source_ref="inv:1", **grant)
    assert balance_of(user).available == 125
    assert CreditAccount.objects.get(user=user).available == 165
    assert [services.expire_grants(), services.expire_grants()] == [40, 0]
    assert CreditAccount.objects.get(user=user).available == 125
    assert ledger_differences(user.credit_account) == {}


def test_an_erased_person_leaves_the_ledger_whole(user, hold):
    account = user.credit_account
    user.delete()
    services.settle_hold(work_ref=hold.work_ref, charge=10)
    account.refresh_from_db()
    assert (account.user, account.available) == (None, 115)
    assert ledger_differences(account) == {}


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


def at_once():
    """Have deferred triggers look now, as they would at the commit."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def refuses(message):
    return pytest.raises(DatabaseError, match=message)


@pytest.fixture
def hold(user):
    return services.hold_credits(user=user, work_ref=uuid.uuid4(), amount=10, label="work")


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: CreditEntry.objects.update(amount=1),
        lambda: CreditEntry.objects.all()._raw_delete("default"),
        lambda: CreditTxn.objects.update(reason="x"),
        lambda: CreditTxn.objects.all()._raw_delete("default"),
        lambda: HoldPart.objects.update(amount=1),
        lambda: HoldPart.objects.all()._raw_delete("default"),
        lambda: CreditHold.objects.all()._raw_delete("default"),
        lambda: CreditGrant.objects.all()._raw_delete("default"),
    ],
)
def test_what_is_written_is_never_changed_or_deleted(hold, attempt):
    with refuses("append-only"), transaction.atomic():
        attempt()


@pytest.mark.parametrize("model", [CreditEntry, CreditTxn, HoldPart, CreditHold, CreditGrant])
def test_truncate_is_refused_outside_test_databases(hold, model):
    at_once()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL atelier.allow_truncate = 'off'")
        with refuses("append-only"), transaction.atomic():
            cursor.execute(f"TRUNCATE {model._meta.db_table} CASCADE")


def refuse_at_commit(message, write):
    def write_and_look():
        with transaction.atomic():
            write()
            at_once()

    with refuses(message):
        write_and_look()


def test_a_transaction_that_does_not_sum_to_zero_is_refused(user):
    def write():
        txn = CreditTxn.objects.create(key="test:odd", kind="grant", account=user.credit_account)
        CreditEntry.objects.create(txn=txn, bucket="available", amount=5)

    refuse_at_commit("sum to 5, not to 0", write)


def test_a_transaction_without_entries_is_refused(user):
    account = user.credit_account
    refuse_at_commit("no entries", lambda: CreditTxn.objects.create(key="x", kind="grant", account=account))


def test_a_hold_whose_parts_are_not_its_amount_is_refused(user):
    hold = partial(CreditHold.objects.create, account=user.credit_account, label="work", amount=5)
    refuse_at_commit("sum to 0, not to 5", lambda: hold(work_ref=uuid.uuid4()))


def test_a_settled_hold_stays_as_it_is(hold):
    services.settle_hold(work_ref=hold.work_ref, charge=4)
    with refuses("is settled"), transaction.atomic():
        CreditHold.objects.update(charged=3)


@pytest.mark.parametrize("changes", [{"amount": 9}, {"slice": 3}, {"work_ref": uuid.uuid4()}])
def test_what_is_held_for_what_is_not_changed(hold, changes):
    with refuses("is not changed"), transaction.atomic():
        CreditHold.objects.update(**changes)


@pytest.mark.parametrize("column", ["available", "held", "debt"])
def test_no_balance_is_ever_negative(user, column):
    with pytest.raises(IntegrityError, match="not_negative"), transaction.atomic():
        CreditAccount.objects.update(**{column: -1})


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


def test_the_dispatcher_sweeps(user):
    past = timezone.now() - timedelta(hours=1)
    services.grant_credits(
        account=user.credit_account, source="plan", source_ref="inv:1", amount=40, expires_at=past
    )
    call_command("dispatch", "--once")
    assert CreditAccount.objects.get(user=user).available == 125
