"""Stripe's events are worked in by the light workers, and by the dispatcher where nobody is known."""

import pytest

from billing import sandbox
from billing.models import StripeEvent
from billing.sandbox_api import clock, store
from jobs.billing_inbox import BILLING_INBOX, sweep_hourly, sweep_inbox, sweep_nightly
from jobs.models import Job
from jobs.testing import run_pending
from tests.billing.journey import account_of, begin, pay

pytestmark = pytest.mark.django_db


def test_an_event_makes_one_light_job_that_works_it_in(owner):
    pay(begin(owner, plan="standard"))
    assert Job.objects.filter(owner=owner, kind=BILLING_INBOX.name).count() == 1
    assert account_of(owner).plan_id == "free"
    assert [job.state for job in run_pending("light")] == ["succeeded"]
    assert (account_of(owner).plan_id, account_of(owner).available) == ("standard", 750)


def test_what_nobody_is_known_to_have_caused_is_swept(owner):
    store.emit("refund.created", {"id": "re_unknown"})
    sandbox.deliver()
    assert not Job.objects.exists()
    sweep_inbox()
    assert StripeEvent.objects.get().attempts == 1


@pytest.mark.parametrize("sweep", [sweep_hourly, sweep_nightly])
def test_what_never_came_is_found_by_the_sweeps(owner, monkeypatch, sweep):
    monkeypatch.setattr(sandbox, "deliver", lambda: None)
    pay(begin(owner, pack="small"))
    sweep()
    assert account_of(owner).available == 625


def test_the_sandbox_renews_when_a_real_month_has_passed(owner):
    pay(begin(owner, plan="standard"))
    clock.let_days_pass(32)
    sweep_hourly()
    assert account_of(owner).grants.filter(source="plan").count() == 2


@pytest.mark.parametrize("sweep", [sweep_inbox, sweep_hourly, sweep_nightly])
def test_where_nothing_is_sold_nothing_is_asked(settings, sweep):
    settings.PAYMENTS = "off"
    sweep()
