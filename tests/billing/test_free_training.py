"""The one free training: once per person ever, whatever they do to their plans and accounts."""

import uuid

import pytest
from django.db import DatabaseError, transaction

from accounts.models import User
from billing import inbox, sandbox, services
from billing.exceptions import AccountBlocked, FreeTrainingGone
from billing.models import CreditAccount, FreeTraining, Payment, PersonMark
from billing.sandbox_api import store, subscriptions
from billing.selectors import free_training_of
from tests.billing.journey import account_of, begin, buy, objects, pay
from tests.billing.test_ledger_concurrency import at_once, new_user

pytestmark = pytest.mark.django_db


def end_plan(user):
    name = account_of(user).subscriptions.get(is_live=True).stripe_id
    sandbox.act(lambda: subscriptions.end(store.get("subscription", name)))
    inbox.drain_inbox()


def test_it_comes_with_the_first_plan_and_stays_until_it_is_used(owner):
    assert not free_training_of(owner)
    buy(owner, pack="small")
    assert not free_training_of(owner)
    buy(owner, plan="standard")
    assert free_training_of(owner)
    sandbox.advance(32)
    inbox.drain_inbox()
    end_plan(owner)
    assert free_training_of(owner)


def test_used_it_does_not_come_back_with_renewals_or_a_new_subscription(owner):
    buy(owner, plan="standard")
    work = uuid.uuid4()
    services.use_free_training(user=owner, work_ref=work)
    services.use_free_training(user=owner, work_ref=work)
    assert not free_training_of(owner)
    with pytest.raises(FreeTrainingGone):
        services.use_free_training(user=owner, work_ref=uuid.uuid4())
    sandbox.advance(32)
    inbox.drain_inbox()
    end_plan(owner)
    buy(owner, plan="pro")
    assert not free_training_of(owner)
    assert FreeTraining.objects.get().work_ref == work


def test_it_comes_back_when_we_failed(owner):
    buy(owner, plan="standard")
    work = uuid.uuid4()
    services.use_free_training(user=owner, work_ref=work)
    assert services.return_free_training(work_ref=work)
    assert not services.return_free_training(work_ref=work)
    assert free_training_of(owner)
    services.use_free_training(user=owner, work_ref=uuid.uuid4())


def test_nobody_without_one_can_use_one(owner):
    with pytest.raises(FreeTrainingGone):
        services.use_free_training(user=owner, work_ref=uuid.uuid4())


def test_while_spending_is_paused_it_waits(owner):
    buy(owner, plan="standard")
    CreditAccount.objects.update(billing_hold=True)
    with pytest.raises(AccountBlocked):
        services.use_free_training(user=owner, work_ref=uuid.uuid4())
    assert FreeTraining.objects.get().state == "offered"


@pytest.mark.parametrize("address", ["owner@example.org", "Owner+again@example.org"])
def test_an_account_made_anew_is_known_by_its_address(owner, make_user, address):
    buy(owner, plan="standard")
    owner.delete()
    again = make_user(address)
    buy(again, plan="standard")
    assert not free_training_of(again)
    assert FreeTraining.objects.get(account__user=again).state == "refused"
    assert account_of(again).available == 750


def test_another_address_is_known_by_the_card(owner, stranger):
    buy(owner, plan="standard")
    attempt = begin(stranger, plan="standard")
    for customer in objects("customer"):
        customer.secret["number"] = "4242"
        customer.save()
    charge = objects("charge")[0]
    pay(attempt)
    inbox.drain_inbox()
    assert free_training_of(stranger)  # another card than the first purchase's
    end_plan(owner)
    buy(owner, plan="standard")  # now the owner's card is the stranger's
    third = User.objects.create_user("third@example.org")
    attempt = begin(third, plan="pro")
    customer = store.get("customer", account_of(third).customers.get().stripe_id)
    customer.secret["number"] = "4242"
    customer.save()
    pay(attempt)
    inbox.drain_inbox()
    assert not free_training_of(third)
    assert charge.data["payment_method_details"]["card"]["fingerprint"]


def test_the_marks_say_nothing_about_anybody(owner):
    buy(owner, plan="standard")
    marks = list(PersonMark.objects.values_list("mark", flat=True))
    assert len(marks) == 2
    assert all(len(mark) == 64 and "owner" not in mark for mark in marks)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_two_trainings_at_once_one_is_free():
    user = new_user()
    buy(user, plan="standard")

    def use():
        try:
            services.use_free_training(user=user, work_ref=uuid.uuid4())
        except FreeTrainingGone:
            return False
        return True

    assert sum(at_once(use, threads=8)) == 1


@pytest.mark.parametrize("model", [FreeTraining, PersonMark, Payment])
def test_the_database_keeps_what_was_given_and_paid(owner, model):
    buy(owner, plan="standard")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        model.objects.all()._raw_delete("default")
