"""The receipt that pages show of a job."""

import re

import pytest
from django.template.loader import render_to_string

from billing.selectors import quote_price
from jobs.leases import finish_job
from jobs.models import Job, State
from jobs.services import stop_job

pytestmark = pytest.mark.django_db


def receipt() -> str:
    return render_to_string("jobs/job_receipt.html", {"job": Job.objects.get()})


def facts() -> dict[str, str]:
    """Return what the receipt says about credits."""
    return dict(re.findall(r"<dt>(Credits \w+)</dt><dd[^>]*>([^<]*)</dd>", receipt()))


def test_a_job_that_waits(submit):
    submit("count")

    assert "Waiting" in receipt()
    assert "Started" not in receipt()
    assert "Credits" not in receipt()


def test_a_job_that_is_paid(submit, claim):
    submit("count", total=3, quote=quote_price("picture", 3))

    assert facts() == {"Credits held": "15", "Credits charged": "0", "Credits released": "0"}
    assert "5 credits for each image" in receipt()
    assert "You pay for what is delivered" in receipt()

    claimed = claim()
    Job.objects.update(delivered=2)
    finish_job(claimed, State.STOPPED)

    assert facts() == {"Credits charged": "10", "Credits released": "5"}
    for text in (
        "Stopped",
        "Started",
        "Ended",
        "What was delivered is charged. The other 5 credits went back to you.",
    ):
        assert text in receipt()


def test_a_job_that_delivered_nothing(submit):
    stop_job(job=submit("count", total=3, quote=quote_price("picture", 3)))

    assert facts() == {"Credits charged": "0", "Credits released": "15"}
    assert "Nothing was delivered, so nothing was charged." in receipt()


def test_house_mode_has_no_receipt(submit, settings):
    settings.CREDITS_ENABLED = False
    submit("count", total=3, quote=quote_price("picture", 3))

    assert "Receipt" not in receipt()
    assert "redit" not in receipt()
    assert "Waiting" in receipt()
