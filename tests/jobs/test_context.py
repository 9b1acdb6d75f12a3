"""What handlers report, are asked, and may write."""

import math
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from django.utils import timezone

from engines.progress import Control
from jobs.context import JobContext
from jobs.exceptions import LeaseLost
from jobs.leases import abandon_attempt
from jobs.models import Job, State
from jobs.processes import Leaving
from jobs.progress import Report, read_progress
from jobs.pulse import Pulse, beating
from jobs.services import request_sample, request_snapshot, stop_job

pytestmark = pytest.mark.django_db


@pytest.fixture
def leaving() -> Leaving:
    return Leaving()


@pytest.fixture
def context(submit, claim, leaving, tmp_path: Path) -> JobContext:
    submit("count")
    job = claim()
    return JobContext(job, scratch=tmp_path, pulse=Pulse(job, leaving=leaving, in_background=False))


def row() -> Job:
    return Job.objects.get()


def test_report_reaches_the_page(context):
    before = read_progress(row()).rev

    assert context.report(step=2, total=8, message="Training", eta_seconds=3.5, values={"loss": 0.1}) is (
        Control.CONTINUE
    )

    seen = read_progress(row())
    assert (seen.step, seen.total, seen.percent, seen.message) == (2, 8, 25, "Training")
    assert (seen.eta_seconds, seen.values) == (3.5, {"loss": 0.1})
    assert seen.rev > before


def test_what_no_chart_can_show_is_left_out(context):
    context.report(
        step=np.int64(2), total=8, eta_seconds=math.inf, values={"a": math.nan, "b": np.float32(0.5)}
    )

    assert row().progress["values"] == {"b": 0.5}
    assert row().progress["eta_seconds"] is None
    assert read_progress(row()).values == {"b": 0.5}


def test_stop_stays(context):
    stop_job(job=row())

    assert context.report(step=1, total=8) is Control.STOP
    assert context.control() is Control.STOP


def test_a_sample_and_a_snapshot_are_asked_for_once(context):
    request_sample(job=row())
    request_snapshot(job=row())

    asked = [context.report(step=step, total=8) for step in range(1, 4)]

    assert asked == [Control.SNAPSHOT, Control.SAMPLE, Control.CONTINUE]
    request_sample(job=row())
    assert context.report(step=4, total=8) is Control.SAMPLE


def test_a_request_to_an_earlier_attempt_is_not_repeated(submit, claim, leaving, tmp_path):
    submit("count")
    first = claim()
    request_snapshot(job=row())
    abandon_attempt(first, cause="silent")
    Job.objects.update(not_before=None)
    job = claim()
    pulse = Pulse(job, leaving=leaving, in_background=False)

    context = JobContext(job, scratch=tmp_path, pulse=pulse)

    assert context.report(step=1, total=8) is Control.CONTINUE


def test_a_worker_that_has_to_leave_stops_its_work(context, leaving):
    leaving.ask()

    assert context.control() is Control.STOP
    assert row().state == State.RUNNING


def test_a_report_of_a_lost_attempt(context):
    abandon_attempt(row(), cause="silent")

    with pytest.raises(LeaseLost):
        context.report(step=1, total=8)


def test_writes_are_fenced(context):
    with context.fenced():
        Job.objects.update(label="written")
    abandon_attempt(row(), cause="silent")

    with pytest.raises(LeaseLost), context.fenced():
        pytest.fail("written behind the fence")

    assert row().label == "written"


def test_lease_lost_passes_an_except_exception(context):
    abandon_attempt(row(), cause="silent")

    def careless() -> None:
        try:
            context.report(step=1, total=8)
        except Exception:  # noqa: BLE001 -- what the test is about
            pytest.fail("swallowed")

    with pytest.raises(LeaseLost):
        careless()


def test_touch_tells_pages(context):
    before = read_progress(row()).rev

    context.touch()

    assert read_progress(row()).rev > before


def test_touch_of_a_lost_attempt(context):
    abandon_attempt(row(), cause="silent")

    with pytest.raises(LeaseLost):
        context.touch()


@pytest.mark.django_db(transaction=True)
def test_the_background_pulse_keeps_the_lease_and_brings_requests(submit, claim, leaving, settings):
    settings.JOBS_LOOK_SECONDS = 0.02
    settings.JOBS_HEARTBEAT_SECONDS = 60
    submit("count")
    job = claim()
    Job.objects.update(lease_until=timezone.now())
    pulse = Pulse(job, leaving=leaving, in_background=True)
    context = JobContext(job, scratch=Path(), pulse=pulse)

    with beating([pulse]):
        stop_job(job=row())
        end = timezone.now() + timedelta(seconds=10)
        while context.control() is Control.CONTINUE and timezone.now() < end:
            pass

    assert context.control() is Control.STOP
    assert row().lease_until > timezone.now()


def test_reports_go_out_now_and_then_and_requests_come_in_between(
    submit, claim, leaving, django_capture_on_commit_callbacks
):
    submit("count", total=9)
    job = claim()
    pulse = Pulse(job, leaving=leaving, in_background=True)
    for step in (1, 2):
        pulse.report(Report(step=step, total=9))
        pulse.beat()
    assert read_progress(row()).step == 1

    with django_capture_on_commit_callbacks(execute=True):
        stop_job(job=row())
    pulse.beat()

    assert pulse.control() is Control.STOP
