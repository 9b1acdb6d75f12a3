"""Which rows a worker gets: the fairest, and what rides with it."""

from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.claims import claim_batch, claim_job
from jobs.leases import finish_job
from jobs.models import Job, State
from jobs.states import may_move

pytestmark = pytest.mark.django_db

SAME = {"batch_key": "same model"}


@pytest.fixture
def claim_labels():
    """Return a function that claims a batch and returns its labels."""

    def claim_labels(**options: object) -> list[str]:
        batch = claim_batch(queue="generate", worker="worker-1", **options)
        return [job.label for job in batch]

    return claim_labels


def test_every_claim_is_an_allowed_move_with_its_cause(submit):
    first, rider = (submit("together", label=label, **SAME) for label in "ab")

    claim_batch(queue="generate", worker="worker-1")

    for job, cause in ((first, "claimed"), (rider, f"claimed with {first.pk}")):
        event = job.events.last()
        assert (event.from_state, event.to_state) == (State.QUEUED, State.RUNNING)
        assert may_move(event.from_state, event.to_state)
        assert (event.cause, event.attempt, event.worker) == (cause, 1, "worker-1")


def test_the_row_comes_back_as_it_stands_in_the_database(submit):
    submit("count")

    job = claim_job(queue="train", worker="worker-1")

    stored = Job.objects.filter(pk=job.pk).values().get()
    assert {name: getattr(job, name) for name in stored} == stored


def test_memory_of_the_device(submit):
    large = submit("count", label="large", needs_bytes=2**33)
    small = submit("count", label="small", needs_bytes=2**30)

    assert claim_job(queue="train", worker="worker-1", device_bytes=2**32) == small
    assert claim_job(queue="train", worker="worker-1", device_bytes=2**32) is None
    assert claim_job(queue="train", worker="worker-1", device_bytes=2**34) == large


def test_time_of_one_go(submit):
    submit("count")
    Job.objects.update(seconds_left=3600)

    job = claim_job(queue="train", worker="worker-1")

    assert job.deadline_at == job.started_at + timedelta(hours=1)


def test_riders_have_the_same_key_and_fill_the_batch_in_their_order(submit, stranger, claim_labels):
    submit("together", label="a1", **SAME)
    submit("together", label="a2", batch_key="another model")
    submit("together", label="a3", **SAME)
    submit("together", label="b1", by=stranger, **SAME)
    submit("together", label="b2", by=stranger, **SAME)
    submit("together", label="b3", by=stranger, **SAME)

    assert set(claim_labels()) == {"a1", "b1", "b2", "a3"}
    assert claim_labels() == ["a2"]
    assert claim_labels() == ["b3"]
    assert claim_labels() == []


def test_a_batch_holds_so_many_units(submit, claim_labels):
    for label, total in {"a": 1, "b": 2, "c": 2, "d": 1, "e": 9, "f": 1}.items():
        submit("together", label=label, total=total, **SAME)

    assert claim_labels() == ["a", "b"]
    assert claim_labels() == ["c", "d"]
    assert claim_labels() == ["e"]
    assert claim_labels() == ["f"]


@pytest.mark.parametrize(
    "values",
    [
        {"is_held_back": True},
        {"not_before": timezone.now() + timedelta(hours=1)},
        {"needs_bytes": 2**33},
        {"failures": 1},
        {"kind": "test.unknown"},
        {"batch_key": ""},
        {"state": State.CANCELED},
    ],
)
def test_what_does_not_ride(submit, claim_labels, values):
    submit("together", label="first", **SAME)
    other = submit("together", label="other", **SAME)
    Job.objects.filter(pk=other.pk).update(**values)

    assert claim_labels(device_bytes=2**32) == ["first"]


def test_one_that_has_failed_takes_nobody_along(submit, claim_labels):
    first = submit("together", label="first", **SAME)
    submit("together", label="second", **SAME)
    Job.objects.filter(pk=first.pk).update(failures=1)

    assert claim_labels() == ["first"]


def test_riders_do_not_put_newcomers_behind(submit, stranger, claim_labels):
    """Before the last of a thousand rows rode along, a newcomer's first job went next; so it does after."""
    submit("together", label="a1", **SAME)
    for number in range(2, 9):
        submit("together", label=f"a{number}", batch_key="another model", total=4)
    submit("together", label="a9", **SAME)

    assert claim_labels() == ["a1", "a9"]
    submit("together", label="b1", by=stranger)

    assert claim_labels() == ["b1"]


def test_work_in_batches_is_shared_fairly(submit, stranger, claim_labels):
    """Whoever has batches gets no more turns for it: both users' batches alternate."""
    for number in range(12):
        submit("together", label=f"a{number}", batch_key="a")
        submit("together", label=f"b{number}", by=stranger, batch_key="b")

    owners = []
    while batch := claim_batch(queue="generate", worker="worker-1"):
        owners.append(batch[0].label[0])
        for job in batch:
            finish_job(job, State.SUCCEEDED)

    assert Counter(owners) == {"a": 3, "b": 3}
    assert "aaa" not in "".join(owners)
    assert "bbb" not in "".join(owners)
