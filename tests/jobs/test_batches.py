"""Several jobs done together: each has its own end."""

import pytest

from jobs import attempts
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


def claim() -> list[Job]:
    return claim_batch(queue="generate", worker="worker-1")


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


def test_only_who_has_company_costs_a_second_statement(submit, submit_all, django_assert_num_queries):
    submit("together", label="alone", batch_key="other")
    submit_all("a", "b")

    with django_assert_num_queries(1):
        assert [job.label for job in claim()] == ["alone"]
    with django_assert_num_queries(2):
        assert [job.label for job in claim()] == ["a", "b"]


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


def hand(submit, *labels: str, total: int = 0) -> list[Job]:
    return [submit("handed", label=label, total=total, batch_key="same") for label in labels]


def test_whoever_is_served_goes_on_before_the_others_are(submit, run, monkeypatch):
    hand(submit, "a", "b")
    seen = []
    settle = attempts._Round._settle

    def noting(self, place, result):
        settle(self, place, result)
        seen.append(states())

    monkeypatch.setattr(attempts._Round, "_settle", noting)

    run()

    assert seen == [{"a": "succeeded", "b": "running"}, {"a": "succeeded", "b": "succeeded"}]


def test_one_that_was_served_and_asks_for_more_is_told_that_it_is_to_stop(submit, run, monkeypatch):
    long, _other = hand(submit, "long", total=3) + hand(submit, "other")
    settle = attempts._Round._settle

    def stop_then(self, place, result):
        settle(self, place, result)
        if result == "LONG":
            stop_job(job=long)

    monkeypatch.setattr(attempts._Round, "_settle", stop_then)

    run()

    assert handlers.rounds == [["long", "other"]]
    assert handlers.ended == [("long", "stopped"), ("other", "succeeded")]


def test_a_fault_after_some_were_served_touches_the_rest_alone(submit, run):
    hand(submit, "a", "poison", "c")

    run()

    assert handlers.rounds == [["a", "poison", "c"], ["poison"], ["c"]]
    assert states() == {"a": "succeeded", "poison": "queued", "c": "succeeded"}
