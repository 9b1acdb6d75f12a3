"""What the wizard offers to start from, and what speaks against it on the machines that are here."""

import pytest

from catalog.models import Visibility
from training.models import Snapshot
from training.starts import Room, find_starts


def test_what_knows_something_comes_first(starting_point, starting_point_64, stranger, owner):
    model = starting_point.model
    model.owner, model.visibility = stranger, Visibility.PUBLIC
    model.save()
    kinds = [str(start.kind) for start in find_starts(owner)]
    assert kinds == ["Your model", "Model of others", *["From scratch"] * 5]


def test_a_snapshot_brings_its_own_sizes(experiment, owner, django_assert_max_num_queries):
    snapshot = Snapshot.objects.create(experiment=experiment, step=4, attempt=1, images_seen=1, grid="g")
    with django_assert_max_num_queries(4):
        first = find_starts(owner, snapshot)[0]
    assert (first.value, first.resolution) == (f"snapshot:{snapshot.pk}", experiment.resolution)
    planned = first.plan(steps=20)
    assert (planned.continued_from, planned.starting_point) == (snapshot, experiment.starting_point)
    assert planned.resolution == experiment.resolution


@pytest.mark.parametrize(
    ("room", "sentence"),
    [
        (Room(0, has_card=False), "No machine here can hold it now"),
        (Room(200 << 30, has_card=False), "No graphics card is here now"),
        (Room(200 << 30, has_card=True), ""),
    ],
)
def test_what_speaks_against_a_large_one(room, sentence, licence, owner):
    starts = {start.value: start for start in find_starts(owner)}
    assert room.judge(starts["gpu1024"]).startswith(sentence)
    assert bool(room.judge(starts["gpu1024"])) == bool(sentence)
    assert room.judge(starts["cpu64"]) == ""
