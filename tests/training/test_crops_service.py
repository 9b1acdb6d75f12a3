"""How pictures are cut: for all, for some, for one by hand; and what a training makes of it."""

import io
from pathlib import Path

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.urls import reverse
from PIL import Image

from engines.crops import RANDOM_CROPS
from engines.dataset import PreparedDataset, prepare
from engines.progress import Control
from jobs.testing import run_pending
from tests.training.conftest import add_picture
from tests.training.test_run_experiment import stop_at
from training import crops, files, services
from training.exceptions import BoxRefused, PicturesMissing
from training.models import Crop, DatasetImage


@pytest.fixture
def wide(empty_dataset) -> DatasetImage:
    return add_picture(empty_dataset, 1, width=200, height=100)


@pytest.fixture
def tall(empty_dataset) -> DatasetImage:
    return add_picture(empty_dataset, 2, width=90, height=250)


@pytest.fixture
def small(empty_dataset) -> DatasetImage:
    return add_picture(empty_dataset, 3, width=64, height=70)


def test_a_picture_follows_its_dataset_until_it_has_a_crop_of_its_own(wide, empty_dataset):
    services.choose_crop(dataset=empty_dataset, crop="letterbox")
    empty_dataset.refresh_from_db()
    assert crops.boxes_in_force(wide, empty_dataset.crop) == [(0, -50, 200, 150)]
    services.cut_picture(image=wide, crop="center")
    wide.refresh_from_db()
    assert crops.boxes_in_force(wide, empty_dataset.crop) == [(50, 0, 150, 100)]
    services.cut_picture(image=wide, box=(100, 20, 180, 100))
    wide.refresh_from_db()
    assert (wide.crop, wide.box) == ("", [100, 20, 180, 100])
    assert crops.boxes_in_force(wide, empty_dataset.crop) == [(100, 20, 180, 100)]
    services.cut_picture(image=wide)
    wide.refresh_from_db()
    assert (wide.crop, wide.box) == ("", None)
    assert list(crops.without_own_crop(empty_dataset)) == [wide]


@pytest.mark.parametrize(
    ("box", "field"),
    [
        ((0, 0, 63, 63), "side"),  # below the smallest side
        ((0, 0, 101, 101), "side"),
        ((101, 0, 201, 100), "left"),
        ((-1, 0, 99, 100), "left"),
        ((0, 1, 100, 101), "upper"),
    ],
)
def test_a_box_lies_wholly_inside_its_picture(wide, box, field):
    with pytest.raises(BoxRefused) as refusal:
        services.cut_picture(image=wide, box=box)
    assert refusal.value.field == field
    wide.refresh_from_db()
    assert wide.box is None


def test_a_box_is_made_a_square_and_excludes_a_crop(wide):
    services.cut_picture(image=wide, box=(0, 0, 80, 99))
    assert wide.box == [0, 0, 80, 80]
    with pytest.raises(ValueError, match="not both"):
        services.cut_picture(image=wide, crop="center", box=(0, 0, 80, 80))
    with pytest.raises(ValueError, match="sideways"):
        services.cut_picture(image=wide, crop="sideways")


def test_some_pictures_are_cut_together_or_none(empty_dataset, wide, tall, small, dataset):
    services.cut_picture(image=small, box=(0, 0, 64, 64))
    changed = services.cut_pictures(dataset=empty_dataset, pictures={wide.pk, small.pk}, crop="squeeze")
    assert {image.pk for image in changed} == {wide.pk, small.pk}
    assert all((image.crop, image.box) == ("squeeze", None) for image in changed)
    assert set(crops.with_own_crop(empty_dataset)) == {wide, small}
    foreign = dataset.images.first().pk
    with pytest.raises(PicturesMissing):
        services.cut_pictures(dataset=empty_dataset, pictures={wide.pk, foreign}, crop="")
    assert crops.with_own_crop(empty_dataset).count() == 2
    services.cut_pictures(dataset=empty_dataset, pictures=[wide.pk, small.pk], crop="")
    assert not crops.with_own_crop(empty_dataset).exists()


def test_telling_pictures_are_the_widest_the_tallest_and_the_smallest(empty_dataset, small, wide, tall):
    assert [telling.picture for telling in crops.telling_pictures(empty_dataset)] == [wide, tall, small]
    services.cut_picture(image=wide, crop="squeeze")
    assert [telling.picture for telling in crops.telling_pictures(empty_dataset)] == [small, tall]


def test_a_single_box_leaves_the_rest_in_the_shade(wide):
    one = crops.overlay(wide, crops.boxes_of(wide, "center"))
    assert one.view_box == "0 0 200 100"
    assert one.outline == "M50 0H150V100H50Z"
    assert one.shade == "M0 0H200V100H0ZM50 0H150V100H50Z"
    several = crops.overlay(wide, crops.boxes_of(wide, "random"))
    assert several.outline.count("M") == RANDOM_CROPS
    assert several.shade == ""


def frozen(pictures) -> list[dict[str, object]]:
    """The entries of a frozen version."""
    entries = []
    for image in pictures:
        entry: dict[str, object] = {"sha256": image.sha256, "file": image.file}
        if image.crop:
            entry["crop"] = image.crop
        if image.box:
            entry["box"] = image.box
        entries.append(entry)
    return entries


@pytest.mark.parametrize("crop", Crop.values)
def test_what_is_prepared_is_what_the_page_shows_pixel_for_pixel(
    crop, empty_dataset, wide, tall, small, owner_client, tmp_path
):
    services.choose_crop(dataset=empty_dataset, crop=crop)
    by_hand = add_picture(empty_dataset, 4, width=300, height=170)
    services.cut_picture(image=by_hand, box=(31, 17, 148, 134))
    own_way = add_picture(empty_dataset, 5, width=130, height=170)
    services.cut_picture(image=own_way, crop="random")
    pictures = [wide, tall, small, by_hand, own_way]

    version = empty_dataset.versions.model(crop=crop, pictures=frozen(pictures))
    own_crops, boxes = crops.frozen_crops(version)
    prepared = prepare(
        [(image.sha256, Path(default_storage.path(image.file))) for image in pictures],
        tmp_path / "prepared",
        resolution=64,
        crop=crop,
        crops=own_crops,
        boxes=boxes,
    )
    shown = []
    for image in pictures:
        address = reverse("training:image_cut", args=[empty_dataset.pk, image.pk])
        strip = np.asarray(Image.open(io.BytesIO(owner_client.get(address, {"resolution": 64}).content)))
        shown.append(strip.reshape(64, -1, 64, 3).swapaxes(0, 1))
    assert np.array_equal(prepared.images, np.concatenate(shown))


def test_a_training_prepares_what_the_page_shows(dataset, starting_point, owner, monkeypatch):
    """The whole way to the worker's folder, with a seed, which must not move the random squares."""
    experiment = services.start_experiment(
        owner=owner, dataset=dataset, starting_point=starting_point, steps=4, crop="random", seed=7,
        settings={"batch": 4},
    )  # fmt: skip
    stop_at(monkeypatch, 2, lambda: Control.STOP)
    run_pending("train")
    prepared = PreparedDataset.open(files.prepared_folder(experiment.pk))
    image = dataset.images.get(sha256=prepared.names[0])
    squares = crops.squares(image, crops.boxes_of(image, "random"), 16)
    assert np.array_equal(prepared.images[:RANDOM_CROPS], squares)
