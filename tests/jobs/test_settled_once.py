"""Abuse case 60: however often and by whomever a job is ended, its credits move once."""

import contextlib
from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from billing.models import CreditAccount, CreditTxn
from billing.selectors import ledger_differences, quote_price
from jobs.claims import claim_job
from jobs.exceptions import LeaseLost
from jobs.leases import finish_job
from jobs.models import Job, State
from jobs.reconcile import reconcile
from jobs.services import stop_job
from tests.jobs.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def job(submit):
    """A job for which 30 of the owner's 125 credits are held."""
    return submit("noop", quote=quote_price("picture", 6), total=6)


def movements(job):
    """Return how often something was released and charged for a job."""
    kinds = CreditTxn.objects.filter(key__contains=str(job.pk)).values_list("kind", flat=True)
    return [list(kinds).count(kind) for kind in ("release", "capture")]


def balance(owner):
    account = CreditAccount.objects.get(user=owner)
    assert ledger_differences(account) == {}
    return account.available, account.held


def test_canceled_by_many_at_once_is_released_once(owner, job):
    at_once(lambda _index: stop_job(job=job).state, threads=8)

    assert Job.objects.get().state == State.CANCELED
    assert movements(job) == [1, 0]
    assert balance(owner) == (125, 0)


def test_canceled_while_a_worker_takes_it(owner, job):
    def act(index):
        if index % 2:
            stop_job(job=job)
            return None
        return claim_job(queue="generate", worker=f"worker-{index}")

    for claimed in filter(None, at_once(act, threads=6)):
        finish_job(claimed, State.STOPPED)

    assert Job.objects.get().state in (State.CANCELED, State.STOPPED)
    assert movements(job) == [1, 0]
    assert balance(owner) == (125, 0)


def test_killed_and_canceled_at_once_is_released_once(owner, job):
    """Its worker dies for good, its owner presses Stop, and several dispatchers find it at that moment."""
    claim_job(queue="generate", worker="worker-1")
    Job.objects.update(lease_until=timezone.now() - timedelta(minutes=1), failures=2)

    acts = [partial(stop_job, job=job), reconcile] * 4
    at_once(lambda index: acts[index](), threads=8)
    reconcile()

    assert Job.objects.get().state in (State.STOPPED, State.FAILED)
    assert movements(job) == [1, 0]
    assert balance(owner) == (125, 0)


def test_a_worker_that_was_given_up_charges_nothing_when_it_returns(owner, job):
    late = claim_job(queue="generate", worker="worker-1")
    Job.objects.update(lease_until=timezone.now() - timedelta(minutes=1), failures=2)
    reconcile()

    def finish(_index):
        try:
            finish_job(late, State.SUCCEEDED, apply=lambda: Job.objects.update(delivered=6))
        except LeaseLost:
            return False
        return True

    assert at_once(finish, threads=4) == [False] * 4
    assert movements(job) == [1, 0]
    assert balance(owner) == (125, 0)


def test_finished_and_canceled_at_once_is_settled_once(owner, job):
    worked = claim_job(queue="generate", worker="worker-1")
    Job.objects.update(delivered=2)

    def act(index):
        if index % 2:
            stop_job(job=job)
            return
        with contextlib.suppress(LeaseLost):
            finish_job(worked, State.SUCCEEDED)

    at_once(act, threads=6)

    assert Job.objects.get().state == State.SUCCEEDED
    assert movements(job) == [1, 1]
    assert balance(owner) == (115, 0)
