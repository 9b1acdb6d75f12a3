import pytest

from engines.crops import CROP_MODES, RANDOM_CROPS, crop_box, crop_boxes, training_boxes

SHAPES = [(300, 100), (100, 300), (64, 64), (1, 1), (7, 5)]


def test_center_takes_the_largest_square_in_the_middle():
    assert crop_box(300, 100, "center") == (100, 0, 200, 100)
    assert crop_box(100, 300, "center") == (0, 100, 100, 200)
    assert crop_box(64, 64, "center") == (0, 0, 64, 64)


def test_letterbox_takes_the_smallest_square_around():
    assert crop_box(300, 100, "letterbox") == (0, -100, 300, 200)
    assert crop_box(100, 300, "letterbox") == (-100, 0, 200, 300)


def test_squeeze_takes_the_whole_picture():
    assert crop_box(300, 100, "squeeze") == (0, 0, 300, 100)


@pytest.mark.parametrize(("width", "height"), SHAPES)
def test_random_squares_lie_inside_and_cover_most_of_the_shorter_side(width, height):
    boxes = crop_boxes(width, height, "random", name="a.png")
    assert len(boxes) == RANDOM_CROPS
    for left, upper, right, lower in boxes:
        assert 0 <= left < right <= width
        assert 0 <= upper < lower <= height
        assert right - left == lower - upper >= max(1, 0.7 * min(width, height))


def test_random_squares_depend_on_seed_and_name_only():
    first = crop_boxes(500, 300, "random", seed=1, name="a.png")
    assert first == crop_boxes(500, 300, "random", seed=1, name="a.png")
    assert first != crop_boxes(500, 300, "random", seed=2, name="a.png")
    assert first != crop_boxes(500, 300, "random", seed=1, name="b.png")


@pytest.mark.parametrize("mode", CROP_MODES)
def test_crop_box_is_the_first_of_all(mode):
    assert crop_box(30, 20, mode) == crop_boxes(30, 20, mode)[0]


def test_a_box_by_hand_goes_before_the_crop():
    assert training_boxes(300, 100, "random", box=(5, 6, 70, 71), name="a.png") == [(5, 6, 70, 71)]
    expected = crop_boxes(300, 100, "random", seed=3, name="a.png")
    assert training_boxes(300, 100, "random", seed=3, name="a.png") == expected


def test_impossible_requests_are_refused():
    with pytest.raises(ValueError, match="no crop"):
        crop_box(0, 10, "center")
    with pytest.raises(ValueError, match="unknown crop mode"):
        crop_box(10, 10, "sideways")
