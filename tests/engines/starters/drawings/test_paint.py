"""The painting kit: dice, outlines, masks and the canvas."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from engines.starters.drawings.paint import (
    Canvas,
    Dice,
    backdrop,
    colour,
    ellipse,
    mirrored,
    mix,
    points,
    rotate,
    shift,
    smooth,
    stroke,
)

SQUARE = points((20, 20), (60, 20), (60, 60), (20, 60))


@pytest.fixture
def canvas():
    return Canvas(50, Image.new("RGB", (4, 4)), oversampling=2)


def covered(mask):
    """Share of the canvas (100 x 100 pixels) that a mask covers."""
    return np.asarray(mask.alpha, dtype=float).sum() / 255 / 100**2


def test_dice_throw_what_they_always_threw():
    dice = Dice(1, 2)

    assert [round(dice.between(0, 1), 9) for _ in range(3)] == [0.448415143, 0.430881988, 0.419999129]


def test_dice_pick_in_proportion_to_weight():
    dice = Dice(7)
    picks = [dice.weigh([("often", 3.0), ("seldom", 1.0), ("never", 0.0)]) for _ in range(2000)]

    assert picks.count("often") / 2000 == pytest.approx(0.75, abs=0.04)
    assert "never" not in picks


def test_backdrops_are_lighter_where_the_light_falls():
    picture = backdrop((90, 120, 150)).convert("L")

    assert picture.getpixel((25, 23)) > picture.getpixel((60, 60)) + 30


def test_colours_are_read_and_blended():
    assert colour("f4a261") == (0xF4, 0xA2, 0x61)
    assert mix((0, 0, 0), (100, 200, 50), 0.5) == (50, 100, 25)


def test_curves_run_through_their_points():
    knots = [(0.0, 0.0), (10.0, 5.0), (20.0, 0.0)]
    curve = smooth(*knots, closed=False, steps=6)

    assert [tuple(curve[i]) for i in (0, 6, 12)] == knots


def test_mirrored_shapes_are_symmetric():
    shape = mirrored((0, -10), (-8, 0), (0, 10))

    assert shape.mean(axis=0) == pytest.approx((0, 0), abs=1e-9)
    assert shape[:, 0].min() == pytest.approx(-shape[:, 0].max())


def test_rotation_is_clockwise_as_seen():
    turned = rotate(points((0, -1)), 90)

    assert turned[0] == pytest.approx((1, 0))


def test_masks_cover_what_their_outlines_enclose(canvas):
    assert covered(canvas.mask(SQUARE)) == pytest.approx(0.16, rel=0.06)
    assert covered(canvas.mask(ellipse(50, 50, 20))) == pytest.approx(np.pi * 0.04, rel=0.06)
    assert covered(canvas.mask(SQUARE, soft=3)) == pytest.approx(0.16, rel=0.12)


def test_strokes_taper_towards_their_ends(canvas):
    even = covered(canvas.mask(stroke((10, 50), (50, 50), (90, 50), width=8)))
    pointed = covered(canvas.mask(stroke((10, 50), (50, 50), (90, 50), width=8, taper=1)))

    assert even == pytest.approx(0.064 + np.pi * 0.0016, rel=0.15)
    assert pointed < 0.8 * even


def test_masks_combine(canvas):
    left, right = canvas.mask(SQUARE), canvas.mask(shift(SQUARE, 20, 0))

    assert covered(left.within(right)) == pytest.approx(0.08, rel=0.08)
    assert covered(left.without(right)) == pytest.approx(0.08, rel=0.08)
    assert covered(left.within(canvas.mask(shift(SQUARE, 45, 45)))) == 0
    assert covered(left.fading(0, 1)) == pytest.approx(0.08, rel=0.08)


@pytest.mark.parametrize("soft", [0, 4])
def test_shapes_may_lie_partly_or_wholly_outside_the_canvas(canvas, soft):
    canvas.paint(canvas.mask(ellipse(0, 0, 30), soft=soft), (255, 0, 0))
    canvas.paint(canvas.mask(ellipse(300, -300, 30), soft=soft), (0, 255, 0))

    picture = canvas.picture()
    assert picture.getpixel((2, 2))[0] > 200
    assert np.asarray(picture)[..., 1].max() == 0


def test_placing_moves_zooms_and_ends(canvas):
    with canvas.placed(50, 50, zoom=2):
        inside = canvas.mask(points((-5, -5), (5, -5), (5, 5), (-5, 5)))
    after = canvas.mask(points((0, 0), (10, 0), (10, 10), (0, 10)))

    assert abs(inside.left - 40) <= 1
    assert covered(inside) == pytest.approx(0.04, rel=0.12)
    assert after.left == 0
