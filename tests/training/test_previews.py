"""What the setup shows of each crop: the boxes that training cuts, on telling pictures."""

import pytest

from tests.training.conftest import fill
from training.models import Crop, DatasetImage
from training.previews import preview_crops


@pytest.fixture
def shapes(empty_dataset) -> list[DatasetImage]:
    """Eight pictures, one of them wide and one tall."""
    images = fill(empty_dataset, 8)
    for image, size in zip(images[2:4], ((200, 100), (100, 300)), strict=True):
        image.width, image.height = size
        image.save()
    return images


def test_the_widest_and_the_tallest_are_among_them(shapes, empty_dataset):
    center, random, letterbox, squeeze = preview_crops(empty_dataset)
    assert [crop.value for crop in (center, random, letterbox, squeeze)] == list(Crop)
    assert [cut.view_box for cut in center.cuts][:2] == ["50 0 100 100", "0 100 100 100"]
    assert [cut.view_box for cut in letterbox.cuts][:2] == ["0 -50 200 200", "-100 0 300 300"]
    assert [cut.view_box for cut in squeeze.cuts][:2] == ["0 0 200 100", "0 0 100 300"]
    assert all(len(crop.cuts) == 3 for crop in (center, random, letterbox, squeeze))
    assert squeeze.is_squeezed
    assert not letterbox.is_squeezed


def test_without_pictures_there_is_nothing_to_cut(empty_dataset, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert [list(crop.cuts) for crop in preview_crops(empty_dataset)] == [[], [], [], []]


def test_one_picture_is_shown_once(make_dataset, owner):
    assert len(preview_crops(make_dataset(owner, 1))[0].cuts) == 1
