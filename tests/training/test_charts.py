"""Curves as data for the chart component."""

import math

from training.charts import HEIGHT, LEFT, MAX_POINTS, RIGHT, TOP, WIDTH, line_chart


def draw(points, last_x=100.0):
    return line_chart(
        title="Loss",
        summary="Losses by step.",
        x_label="Step",
        series={"g": ("Generator", points)},
        last_x=last_x,
    )


def positions(line):
    return [tuple(map(float, pair.split(","))) for pair in line.points.split()]


def test_points_lie_inside_the_frame():
    chart = draw([(0, 1.0), (50, 3.0), (100, -2.0)])
    for x, y in positions(chart.lines[0]):
        assert LEFT <= x <= WIDTH - RIGHT
        assert TOP <= y <= HEIGHT


def test_higher_values_are_higher_on_the_page():
    (_x0, low), (_x1, high) = positions(draw([(0, 1.0), (100, 2.0)]).lines[0])
    assert high < low


def test_x_runs_to_the_end_of_the_training():
    (first, _y), (last, _y) = positions(draw([(0, 1.0), (25, 2.0)], last_x=100).lines[0])
    assert first == LEFT
    assert math.isclose(last, LEFT + (WIDTH - LEFT - RIGHT) / 4, abs_tol=0.1)


def test_too_little_to_draw_is_no_chart():
    assert draw([]) is None
    assert draw([(1, 1.0)]) is None
    assert draw([(1, math.nan), (2, math.inf), (3, 1.0)]) is None


def test_a_constant_still_has_a_scale():
    chart = draw([(0, 0.7), (100, 0.7)])
    assert len(chart.y_ticks) >= 2


def test_a_long_training_is_thinned_and_ends_exactly():
    chart = draw([(step, math.sin(step / 500)) for step in range(25_000)], last_x=25_000)
    assert len(positions(chart.lines[0])) <= MAX_POINTS
    assert chart.rows[-1] == ["24,999", f"{math.sin(24_999 / 500):.3f}"]


def test_ticks_are_round_numbers():
    chart = draw([(0, 0.13), (1000, 3.91)], last_x=1000)
    assert [tick.label for tick in chart.y_ticks] == ["0", "1", "2", "3", "4"]
    assert [tick.label for tick in chart.x_ticks] == ["0", "500", "1,000"]


def test_the_table_has_a_column_for_each_curve():
    chart = line_chart(
        title="Loss",
        summary="",
        x_label="Step",
        series={"g": ("Generator", [(1, 1.0), (2, 2.0)]), "d": ("Discriminator", [(2, 5.0), (3, 6.0)])},
        last_x=3,
    )
    assert chart.columns == ["Step", "Generator", "Discriminator"]
    assert chart.rows == [["1", "1.000", ""], ["2", "2.000", "5.000"], ["3", "", "6.000"]]
