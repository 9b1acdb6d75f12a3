import json

import numpy as np
import pytest
from PIL import Image

from engines.crops import CROP_MODES, RANDOM_CROPS
from engines.dataset import PreparedDataset, prepare
from engines.errors import DatasetError


@pytest.fixture
def pictures(tmp_path):
    """Three pictures of different shape and colour, as (name, path)."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    found = []
    for name, size, colour in (("a", (40, 20), "red"), ("b", (20, 40), "lime"), ("c", (9, 9), "blue")):
        Image.new("RGB", size, colour).save(folder / f"{name}.png")
        found.append((f"{name}.png", folder / f"{name}.png"))
    return found


@pytest.mark.parametrize("crop", CROP_MODES)
def test_every_crop_mode_gives_squares_in_order(pictures, tmp_path, crop):
    dataset = prepare(pictures, tmp_path / "out", resolution=8, crop=crop)
    times = RANDOM_CROPS if crop == "random" else 1
    assert dataset.names == tuple(name for name, _ in pictures for _ in range(times))
    assert dataset.images.shape == (3 * times, 8, 8, 3)
    assert dataset.images.dtype == np.uint8
    assert (dataset.images[0] == (255, 0, 0)).all()
    assert (dataset.images[-1] == (0, 0, 255)).all()


def test_opening_gives_back_what_was_prepared(pictures, tmp_path):
    prepared = prepare(pictures, tmp_path / "out", resolution=8, crop="center")
    opened = PreparedDataset.open(tmp_path / "out")
    assert opened == prepared
    assert len(opened) == 3
    with pytest.raises(ValueError, match="read-only"):
        opened.images[0] = 0


def test_the_fingerprint_follows_contents_and_crops(pictures, tmp_path):
    def fingerprint(jobs, **settings):
        return prepare(jobs, tmp_path / "out", **{"resolution": 8, "crop": "center", **settings}).fingerprint

    first = fingerprint(pictures)
    assert fingerprint(pictures) == first
    assert fingerprint(pictures, seed=5) == first
    others = [
        fingerprint(pictures, resolution=16),
        fingerprint(pictures, crop="squeeze"),
        fingerprint(pictures[:2]),
        fingerprint(pictures, boxes={"a.png": (0, 0, 5, 5)}),
        fingerprint(pictures, crops={"a.png": "squeeze"}),
        fingerprint(pictures, crops={"a.png": "random"}),
        fingerprint(pictures, crops={"a.png": "random"}, seed=1),
        fingerprint(pictures, crop="random", seed=1),
        fingerprint(pictures, crop="random", seed=2),
    ]
    Image.new("RGB", (40, 20), "white").save(pictures[0][1])
    assert len({first, fingerprint(pictures), *others}) == 11


def test_preparing_again_reads_no_picture(pictures, tmp_path):
    prepare(pictures, tmp_path / "out", resolution=8, crop="center")
    seen = []
    prepare(
        pictures, tmp_path / "out", resolution=8, crop="center", on_progress=lambda *done: seen.append(done)
    )
    assert seen == []


def test_progress_counts_every_picture(pictures, tmp_path):
    seen = []
    prepare(
        pictures, tmp_path / "out", resolution=8, crop="center", on_progress=lambda *done: seen.append(done)
    )
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_box_by_hand_overrides_the_crop(pictures, tmp_path):
    image = Image.new("RGB", (40, 20), "red")
    image.paste("white", (0, 0, 10, 10))
    image.save(pictures[0][1])
    dataset = prepare(
        pictures, tmp_path / "out", resolution=8, crop="center", boxes={"a.png": (0, 0, 10, 10)}
    )
    assert (dataset.images[0] == 255).all()


def test_a_picture_may_have_a_crop_of_its_own_and_a_box_goes_before_it(pictures, tmp_path):
    dataset = prepare(
        pictures,
        tmp_path / "out",
        resolution=8,
        crop="center",
        crops={"a.png": "random", "b.png": "random"},
        boxes={"b.png": (0, 0, 20, 20)},
    )
    assert dataset.names == ("a.png",) * RANDOM_CROPS + ("b.png", "c.png")


def test_unreadable_pictures_are_listed_and_the_rest_goes_on(pictures, tmp_path):
    pictures[1][1].write_text("not a picture")
    truncated = pictures[0][1].read_bytes()[:60]
    pictures[0][1].write_bytes(truncated)
    dataset = prepare(
        [*pictures, ("gone.png", tmp_path / "gone.png")], tmp_path / "out", resolution=8, crop="center"
    )
    assert dataset.names == ("c.png",)
    assert [refusal.name for refusal in dataset.refused] == ["a.png", "b.png", "gone.png"]
    assert all("cannot be read as a picture" in refusal.reason for refusal in dataset.refused)


def test_without_a_usable_picture_nothing_is_left(tmp_path):
    with pytest.raises(DatasetError, match="None of the pictures"):
        prepare([("gone.png", tmp_path / "gone.png")], tmp_path / "out", resolution=8, crop="center")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_dataset_is_refused(pictures, tmp_path):
    dataset = prepare(pictures, tmp_path / "out", resolution=8, crop="center")
    with (dataset.path / "images.u8").open("ab") as file:
        file.truncate(dataset.nbytes - 1)
    with pytest.raises(DatasetError, match="incomplete"):
        PreparedDataset.open(dataset.path)
    (dataset.path / "index.json").write_text(json.dumps({"resolution": 8}))
    with pytest.raises(DatasetError, match="no prepared dataset"):
        PreparedDataset.open(dataset.path)
    with pytest.raises(DatasetError, match="no prepared dataset"):
        PreparedDataset.open(tmp_path / "nowhere")
