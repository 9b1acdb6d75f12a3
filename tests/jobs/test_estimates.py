"""When a waiting job will start."""

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs import estimates
from jobs.leases import beat_job, finish_job
from jobs.models import Job, State
from jobs.progress import Report, read_progress
from jobs.selectors import MAX_POSITION, queue_position
from jobs.templatetags.jobs_text import starts_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def workers(monkeypatch):
    """Two workers; each test looks for itself."""
    monkeypatch.setattr(estimates, "_count_workers", lambda queue: 2)
    estimates.forget_pace()
    yield
    estimates.forget_pace()


def past(submit, claim, *minutes: float) -> None:
    """Have done jobs that took so long."""
    for length in minutes:
        submit("count")
        job = claim()
        finish_job(job, State.SUCCEEDED)
        Job.objects.filter(pk=job.pk).update(
            started_at=timezone.now() - timedelta(minutes=length), finished_at=timezone.now()
        )


def wait_of(job: Job) -> float | None:
    """Return the estimated wait in minutes."""
    estimates.forget_pace()
    wait = estimates.estimate_start(job, queue_position(job))
    return None if wait is None else round(wait.total_seconds() / 60, 1)


def test_nothing_is_said_where_nothing_is_known(submit, claim, monkeypatch):
    job = submit("count")
    assert wait_of(job) is None

    past(submit, claim, 10)
    monkeypatch.setattr(estimates, "_count_workers", lambda queue: 0)
    assert wait_of(job) is None


def test_idle_workers_take_the_first(submit, claim):
    past(submit, claim, 10)
    jobs = [submit("count") for _job in range(4)]

    assert [wait_of(job) for job in jobs] == [0, 0, 10, 10]


def test_the_median_counts_and_busy_workers_say_how_long(submit, claim):
    past(submit, claim, 1, 10, 100)
    for _job in range(5):
        submit("count")
    beat_job(claim(), Report(step=1, total=2, eta_seconds=120))
    claim()
    four_minutes_ago = timezone.now() - timedelta(minutes=4)
    Job.objects.filter(state=State.RUNNING, progress={}).update(started_at=four_minutes_ago)

    jobs = Job.objects.waiting("train")

    assert [wait_of(job) for job in jobs] == [2, 6, 12]


def test_far_back_nothing_is_counted_nor_guessed(submit, claim, monkeypatch):
    past(submit, claim, 10)
    monkeypatch.setattr("jobs.selectors.MAX_POSITION", 3)
    monkeypatch.setattr("jobs.estimates.MAX_POSITION", 3)
    jobs = [submit("count") for _job in range(5)]

    assert [queue_position(job) for job in jobs] == [1, 2, 3, 3, 3]
    assert wait_of(jobs[1]) is not None
    assert wait_of(jobs[2]) is None


def test_looking_is_shared_by_the_pages_of_a_moment(submit, claim, django_assert_num_queries):
    past(submit, claim, 10)
    job = submit("count")
    estimates.forget_pace()
    estimates.estimate_start(job, 1)

    with django_assert_num_queries(0):
        for position in range(1, MAX_POSITION):
            estimates.estimate_start(job, position)


def test_a_waiting_page_learns_it_with_time(submit, claim):
    past(submit, claim, 10)
    job = submit("count")
    now = read_progress(job)
    Job.objects.filter(pk=job.pk).update(rev=job.rev - 95_000_000)
    later = read_progress(Job.objects.get(pk=job.pk))

    assert now.starts_in is not None
    assert job.rev - 95_000_000 < later.rev < job.rev


def test_a_held_back_job_has_no_place(submit):
    submit("limited")
    job = submit("limited")

    progress = read_progress(job)
    assert (progress.queue_position, progress.starts_in) == (0, None)


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        (None, ""),
        (0.5, "starts in less than a minute"),
        (4.2, "starts in about 4 min"),
        (130, "starts in about 2 h"),
    ],
)
def test_words(minutes, text):
    assert starts_in(None if minutes is None else timedelta(minutes=minutes)) == text
