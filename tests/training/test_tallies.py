"""What is counted along of pictures."""

import random

import numpy as np
import pytest

from training import tallies
from training.models import DatasetImage, PicturePrint


def row(*, width: int = 300, height: int = 200, level: int = 128, **figures: float) -> DatasetImage:
    measured = {"blur": 0.2, "brightness": 0.5, "contrast": 0.2, **figures}
    image = DatasetImage(width=width, height=height, **measured)
    image.print = PicturePrint(image=image, pixels=np.full((32, 32, 3), level, np.uint8).tobytes())
    return image


def counted(*images: DatasetImage) -> tallies.Tallies:
    found: tallies.Tallies = {}
    for image in images:
        found = tallies.count_in(found, image)
    return found


@pytest.mark.parametrize(
    ("figures", "mark"),
    [
        ({"blur": 0.6}, "blurred"),
        ({"brightness": 0.05, "contrast": 0.1}, "dark"),
        ({"brightness": 0.95, "contrast": 0.1}, "bright"),
        ({"contrast": 0.01}, "flat"),
        ({"width": 900}, "long"),
    ],
)
def test_marks(figures, mark):
    found = counted(row(), row(**figures))
    assert {name: found[name] for name in ("blurred", "dark", "bright", "flat", "long")} == {
        "blurred": 0, "dark": 0, "bright": 0, "flat": 0, "long": 0, mark: 1
    }  # fmt: skip


def test_sizes_and_figures_are_spread_over_their_steps():
    found = counted(row(), row(width=63, height=80, blur=1.0), row(width=4000, height=3000, brightness=0.99))
    assert found["sides"] == [1, 0, 1, 0, 0, 0, 1]
    assert found["aspects"] == [0, 1, 0, 2, 0]
    assert found["blur"] == [0, 0, 2, 0, 0, 0, 0, 0, 0, 1]
    assert found["brightness"] == [0, 0, 0, 0, 0, 2, 0, 0, 0, 1]


def test_the_order_makes_no_difference_and_what_goes_is_gone():
    images = [row(level=level, blur=level / 255) for level in (0, 40, 90, 200, 255)]
    shuffled = random.Random(3).sample(images, len(images))
    assert counted(*images) == counted(*shuffled)
    left = tallies.count_out(counted(*images, row()), images[-1])
    rest = counted(*images[:-1], row())
    assert {**left, "rev": 0} == {**rest, "rev": 0}
    assert left["rev"] > rest["rev"]


def test_counting_leaves_the_earlier_tallies_alone():
    before = counted(row())
    kept = {**before, "sides": list(before["sides"]), "layout": dict(before["layout"])}
    tallies.count_in(before, row())
    assert before == kept


def test_a_picture_that_was_not_measured_counts_by_its_size(db):
    image = DatasetImage(width=100, height=100)
    found = counted(image)
    assert (found["pictures"], found["measured"], found["layout"]["count"]) == (1, 0, 0)


def test_variety():
    assert tallies.variety({}) is None
    assert tallies.variety(counted(row())) is None
    assert tallies.variety(counted(row(), row())) == 0.0
    assert tallies.variety(counted(row(level=0), row(level=255))) == 127.5
