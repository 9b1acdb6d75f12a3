"""What pages read, with Redis, without it, and with nonsense in it."""

import pytest

from jobs.leases import beat_job, finish_job
from jobs.models import Job, State
from jobs.progress import Report, ask_to_look, forget, is_asked_to_look, publish, read_progress
from jobs.redis_client import hints
from jobs.revisions import new_revision
from jobs.services import stop_job

pytestmark = pytest.mark.django_db

REPORT = Report(step=5, total=10, message="fresh", eta_seconds=2.0, values={"loss": 0.5}, preview="a/b.png")


def row() -> Job:
    return Job.objects.get()


@pytest.fixture
def running(submit, claim) -> Job:
    submit("count", total=10)
    job = claim()
    beat_job(job, Report(step=4, total=10, message="from the row"))
    return row()


def test_the_hash_is_fresher_than_the_row(running):
    rev = new_revision(running.rev)
    publish(running.pk, attempt=1, rev=rev, report=REPORT)

    seen = read_progress(running)

    assert (seen.rev, seen.step, seen.percent, seen.message) == (rev, 5, 50, "fresh")
    assert (seen.eta_seconds, seen.values, seen.preview) == (2.0, {"loss": 0.5}, "a/b.png")


def test_the_state_is_the_rows(running):
    publish(running.pk, attempt=1, rev=new_revision(running.rev), report=REPORT)
    stop_job(job=running)

    seen = read_progress(row())

    assert (seen.state, seen.step) == (State.STOPPING, 5)


def test_another_attempts_hash_is_not_read(running):
    publish(running.pk, attempt=7, rev=new_revision(running.rev), report=REPORT)

    assert read_progress(running).message == "from the row"


def test_the_row_serves_when_redis_is_away(running, without_redis):
    assert publish(running.pk, attempt=1, rev=1, report=REPORT) is False

    seen = read_progress(running)

    assert (seen.step, seen.message, seen.rev) == (4, "from the row", running.rev)


@pytest.mark.parametrize("junk", [b"\x80\x04", b"[]", b"{}", b"null", b'{"attempt": 1}', b'{"attempt": "x"}'])
def test_the_row_serves_when_redis_holds_nonsense(running, junk):
    hints().set(f"atelier:progress:{running.pk}", junk)

    assert read_progress(running).message == "from the row"


def test_an_ended_job_is_read_from_its_row(running):
    publish(running.pk, attempt=1, rev=new_revision(running.rev), report=REPORT)
    finish_job(running, State.SUCCEEDED, report=Report(step=10, total=10))

    assert read_progress(row()).step == 10


def test_the_revision_never_falls(running):
    seen = [read_progress(running).rev]
    publish(running.pk, attempt=1, rev=new_revision(running.rev), report=REPORT)
    seen.append(read_progress(running).rev)
    beat_job(running, REPORT)
    seen.append(read_progress(row()).rev)
    hints().flushall()
    seen.append(read_progress(row()).rev)
    finish_job(running, State.SUCCEEDED)
    seen.append(read_progress(row()).rev)

    assert seen == sorted(seen)
    assert len(set(seen)) == 4  # the loss of Redis alone changes nothing


def test_a_waiting_page_sees_the_queue_get_shorter(submit):
    first, second = submit("count"), submit("count")
    before = read_progress(second)

    stop_job(job=first)
    second.refresh_from_db()
    after = read_progress(second)

    assert (before.queue_position, after.queue_position) == (2, 1)
    assert after.rev > before.rev


def test_percent_of_nothing(submit):
    assert read_progress(submit("noop")).percent == 0


def test_a_worker_is_asked_to_look_once(running):
    ask_to_look(running.pk)

    assert publish(running.pk, attempt=1, rev=1, report=REPORT) is True
    assert publish(running.pk, attempt=1, rev=1, report=REPORT) is False
    ask_to_look(running.pk)
    assert is_asked_to_look(running.pk) is True
    assert is_asked_to_look(running.pk) is False


def test_asking_without_redis(running, without_redis):
    ask_to_look(running.pk)
    forget(running.pk)

    assert is_asked_to_look(running.pk) is False


def test_forget(running):
    publish(running.pk, attempt=1, rev=new_revision(running.rev), report=REPORT)

    forget(running.pk)

    assert read_progress(running).message == "from the row"
