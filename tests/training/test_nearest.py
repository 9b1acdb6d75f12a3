"""The training picture nearest to each picture of a snapshot."""

from datetime import timedelta

import numpy as np
import pytest
from django.core.files.storage import default_storage
from PIL import Image

from engines.dataset import prepare
from engines.images import grid as lay_out
from engines.stylegan.config import GRID_COLUMNS
from jobs.sweeps import sweep_files
from jobs.testing import run_pending
from tests.training.test_run_experiment import stop_at
from training import nearest, services
from training.models import NearestIndex, Snapshot


def test_each_planned_snapshot_says_what_its_pictures_resemble_most(trained):
    known = {picture["sha256"] for picture in trained.dataset_version.pictures}
    for snapshot in trained.snapshots.all():
        assert len(snapshot.nearest) == 28
        assert {found["sha256"] for found in snapshot.nearest} <= known
        assert all(0 <= found["share"] <= 1 and found["distance"] >= 0 for found in snapshot.nearest)


def test_training_pictures_find_themselves(trained, tmp_path):
    version = trained.dataset_version
    pictures = [(each["sha256"], default_storage.path(each["file"])) for each in version.pictures]
    prepared = prepare(
        [(name, tmp_path.__class__(path)) for name, path in pictures],
        tmp_path / "prepared", resolution=16, crop="center",
    )  # fmt: skip
    index = nearest._fetch(version, 16, tmp_path / "index")
    sheet = nearest.Grid(side=16, columns=GRID_COLUMNS, count=28)
    searching = nearest.NearestPictures(index, sheet, by_picture=False)
    grid = Image.fromarray(lay_out(np.array(prepared.images[:28]), columns=GRID_COLUMNS))
    found = searching.of_grid(grid)
    assert [each["sha256"] for each in found] == [name for name, _path in pictures[:28]]
    assert all(each["share"] == 0 and each["is_suspect"] for each in found)


def test_the_index_is_made_once_for_a_version_and_goes_with_its_dataset(
    trained, dataset, starting_point, owner, django_capture_on_commit_callbacks
):
    row = NearestIndex.objects.get()
    again = services.start_experiment(
        owner=owner, dataset=dataset, starting_point=starting_point, steps=4, settings={"batch": 4}
    )
    run_pending("train")
    assert NearestIndex.objects.get() == row
    assert len(again.snapshots.last().nearest) == 28
    sweep_files(older_than=timedelta(0))
    assert default_storage.exists(row.file)
    with django_capture_on_commit_callbacks(execute=True):
        services.delete_dataset(dataset=dataset)
    assert not NearestIndex.objects.exists()
    assert not default_storage.exists(row.file)


def test_an_index_that_cannot_be_read_is_made_again(trained, dataset, starting_point, owner):
    first = NearestIndex.objects.get().file
    default_storage.delete(first)
    again = services.start_experiment(
        owner=owner, dataset=dataset, starting_point=starting_point, steps=4, settings={"batch": 4}
    )
    run_pending("train")
    assert len(again.snapshots.last().nearest) == 28
    assert default_storage.exists(NearestIndex.objects.get().file)


def test_a_snapshot_that_was_recorded_without_is_searched_for_later(experiment, monkeypatch):
    def forget() -> None:
        Snapshot.objects.update(nearest=[])
        services.stop_training(training=experiment)

    stop_at(monkeypatch, 6, forget)
    run_pending("train")
    experiment.job.refresh_from_db()
    services.resume_training(training=experiment)
    run_pending("train")
    assert all(len(snapshot.nearest) == 28 for snapshot in experiment.snapshots.all())


@pytest.mark.parametrize("side", [8])
def test_pictures_too_small_to_compare_have_none(side, experiment, tmp_path):
    picture = tmp_path / "picture.png"
    Image.new("RGB", (side, side), "red").save(picture)
    prepared = prepare([("a", picture)], tmp_path / "prepared", resolution=side, crop="center")
    assert nearest.NearestPictures.of(None, experiment.dataset_version, prepared, tmp_path) is None


def test_where_pictures_are_few_a_sample_is_held_against_its_nearest_pictures_own_neighbour(
    trained, tmp_path
):
    index = nearest._fetch(trained.dataset_version, 16, tmp_path / "index")
    sheet = nearest.Grid(side=16, columns=2, count=3)
    searching = nearest.NearestPictures(index, sheet, by_picture=True)
    copy = index.thumbnails[0].reshape(16, 16, 3)
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    found = searching.of_grid(Image.fromarray(lay_out(np.stack([copy, noise, noise, noise]), columns=2)))
    assert [each["is_suspect"] for each in found] == [True, False, False]
    assert found[0]["sha256"] == index.names[0]
