"""The receipt that pages show of a job."""

import pytest
from django.template.loader import render_to_string

from billing.selectors import quote_price
from jobs.leases import finish_job
from jobs.models import Job, State

pytestmark = pytest.mark.django_db


def receipt() -> str:
    return render_to_string("jobs/job_receipt.html", {"job": Job.objects.get()})


def test_a_job_that_waits(submit):
    submit("count")

    assert "Waiting" in receipt()
    assert "Started" not in receipt()
    assert "Credits" not in receipt()


def test_a_job_that_was_paid(submit, claim):
    submit("count", total=3, quote=quote_price("picture", 3))
    finish_job(claim(), State.SUCCEEDED)

    for text in ("Done", "Started", "Ended", "Credits held", "15"):
        assert text in receipt()
