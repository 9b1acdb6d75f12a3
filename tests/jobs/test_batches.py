"""Several jobs done together: each has its own end."""

import pytest

from jobs.claims import claim_batch
from jobs.execute import run_next
from jobs.models import Job, State
from jobs.processes import Leaving
from jobs.services import stop_job
from tests.jobs import handlers

pytestmark = pytest.mark.django_db


@pytest.fixture
def submit_all(submit):
    """Return a function that submits one job for each label, all of which can be done together."""

    def submit_all(*labels: str, total: int = 0) -> list[Job]:
        return [submit("together", label=label, total=total, batch_key="same") for label in labels]

    return submit_all


@pytest.fixture
def run():
    """Return a function that does one batch."""

    def run(**options: object) -> list[Job]:
        return run_next(queue="generate", worker="worker-1", in_background=False, **options)

    return run


def states() -> dict[str, str]:
    return dict(Job.objects.values_list("label", "state"))


def test_a_batch_is_computed_at_once_and_every_job_ends_by_itself(submit_all, run):
    submit_all("a", "b", "c")

    assert [job.label for job in run()] == ["a", "b", "c"]

    assert handlers.rounds == [["a", "b", "c"]]
    assert sorted(handlers.ended) == [("a", "succeeded"), ("b", "succeeded"), ("c", "succeeded")]
    assert set(Job.objects.values_list("step", "attempt")) == {(1, 1)}


def test_longer_jobs_go_on_when_shorter_ones_have_ended(submit_all, run):
    submit_all("short", total=1)
    submit_all("long", total=3)

    run()

    assert handlers.rounds == [["short", "long"], ["long"], ["long"]]
    assert handlers.ended == [("short", "succeeded"), ("long", "succeeded")]


def test_a_job_alone_goes_the_same_way(submit, run):
    submit("together", label="alone")

    run()

    assert handlers.rounds == [["alone"]]
    assert states() == {"alone": "succeeded"}


def test_a_batch_that_fails_as_a_whole_is_done_one_by_one(submit_all, run):
    submit_all("a", "poison", "c")

    run()

    assert handlers.rounds == [["a", "poison", "c"], ["a"], ["poison"], ["c"]]
    assert states() == {"a": "succeeded", "poison": "queued", "c": "succeeded"}
    poison = Job.objects.get(label="poison")
    assert (poison.failures, poison.not_before is not None) == (1, True)


def test_one_that_is_stopped_leaves_the_others_to_their_work(submit_all, run, monkeypatch):
    _a, b, _c = submit_all("a", "b", total=2) + submit_all("c", total=0)
    shout = handlers.shout

    def stop_meanwhile(labels: list[str]) -> list[str]:
        if not handlers.rounds:
            stop_job(job=b)
        return shout(labels)

    monkeypatch.setattr(handlers, "shout", stop_meanwhile)

    run()

    assert handlers.rounds == [["a", "b"], ["a"]]
    assert states() == {"a": "succeeded", "b": "stopped", "c": "queued"}


def test_one_whose_lease_is_lost_leaves_the_others_to_their_work(submit_all, run, monkeypatch):
    submit_all("a", "b")
    shout = handlers.shout

    def lose(labels: list[str]) -> list[str]:
        Job.objects.filter(label="b").update(attempt=9)
        return shout(labels)

    monkeypatch.setattr(handlers, "shout", lose)

    run()

    assert states() == {"a": "succeeded", "b": "running"}
    assert handlers.ended == [("a", "succeeded")]


def test_a_worker_that_has_to_leave_gives_all_of_them_back(submit_all, run, monkeypatch):
    submit_all("a", "b", total=2)
    leaving = Leaving()
    shout = handlers.shout
    monkeypatch.setattr(handlers, "shout", lambda labels: leaving.ask() or shout(labels))

    run(leaving=leaving)

    assert set(Job.objects.values_list("state", "step", "failures")) == {(State.QUEUED, 1, 0)}
    assert [job.label for job in claim_batch(queue="generate", worker="worker-2")] == ["a", "b"]
