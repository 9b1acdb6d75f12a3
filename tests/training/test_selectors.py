"""Questions that pages ask."""

import pytest

from jobs.templatetags.jobs_text import time_left
from tests.training.conftest import fill
from training import limits, selectors


def test_covers_are_the_newest_pictures_of_each_dataset(make_dataset, owner, stranger):
    large, small = make_dataset(owner, 6, "Large"), make_dataset(owner, 1, "Small")
    make_dataset(stranger, 3, "Foreign")
    newest = [image.pk for image in fill(large, 1, first=900)]
    found = {dataset.name: dataset.covers for dataset in selectors.datasets_with_covers(owner)}
    assert set(found) == {"Large", "Small"}
    assert len(found["Large"]) == 4
    assert found["Large"][:1] == newest
    assert found["Small"] == [small.images.get().pk]


def test_the_log_tells_what_happened_the_newest_first(trained):
    lines = [line.text for line in selectors.log_lines(trained.job, list(trained.snapshots.all()))]
    assert lines[0] == "Training is done"
    assert lines[-1] == "Waiting for a worker"
    assert {"Training began", "Snapshot at step 4", "Snapshot at step 8"} <= set(lines)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (12, "less than a minute left"),
        (240, "about 4 min left"),
        (3540, "about 59 min left"),
        (5700, "about 1 h 35 min left"),
    ],
)
def test_time_left(seconds, words):
    assert time_left(seconds) == words


def test_limits_are_settings(settings):
    settings.TRAINING_LIMITS = {"max_frames": 3}
    assert limits.current().max_frames == 3
    settings.TRAINING_LIMITS = {"max_frame": 3}
    with pytest.raises(TypeError, match="max_frame"):
        limits.current()
