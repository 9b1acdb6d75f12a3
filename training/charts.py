"""Curves as data for an SVG that the server draws: positions, ticks and the table behind the picture.

The geometry is that of the chart component: a margin of 48 left, 12 right, 12 above and 28 below.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.functional import Promise

WIDTH, HEIGHT = 640, 240
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 12, 28
MAX_POINTS = 240  # of one curve; more than that many are averaged
MAX_ROWS = 24  # of the table
_TICKS = 4

Text = str | Promise
Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """One curve: its name and the `points` attribute of an SVG polyline."""

    label: Text
    points: str


@dataclass(frozen=True)
class Tick:
    """A mark at an axis: where, in SVG units, and what it says."""

    position: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Everything the chart component shows."""

    title: Text
    summary: Text
    lines: Sequence[Line]
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    columns: Sequence[Text]
    rows: Sequence[Sequence[str]]
    width: int = WIDTH
    height: int = HEIGHT


def line_chart(
    *,
    title: Text,
    summary: Text,
    x_label: Text,
    series: Mapping[str, tuple[Text, Sequence[Point]]],
    last_x: float,
) -> Chart | None:
    """Draw curves over 0 to `last_x`; each of `series` is a label with its (x, y) in ascending x.

    Values that are not finite are left out. Returns None when no curve has two points.
    """
    curves = {name: (label, _thinned(_finite(points))) for name, (label, points) in series.items()}
    curves = {name: curve for name, curve in curves.items() if len(curve[1]) >= 2}
    if not curves:
        return None
    values = [y for _label, points in curves.values() for _x, y in points]
    low, high, step = _nice_range(min(values), max(values))
    last_x = max(last_x, *(points[-1][0] for _label, points in curves.values()))

    def place(point: Point) -> str:
        return f"{_across(point[0], last_x):.1f},{_down(point[1], low, high):.1f}"

    return Chart(
        title=title,
        summary=summary,
        lines=[Line(label, " ".join(map(place, points))) for label, points in curves.values()],
        x_ticks=[Tick(round(_across(x, last_x), 1), f"{x:,.0f}") for x in _x_values(last_x)],
        y_ticks=[Tick(round(_down(y, low, high), 1), _number(y, step)) for y in _y_values(low, high, step)],
        columns=[x_label, *(label for label, _points in curves.values())],
        rows=_rows([points for _label, points in curves.values()]),
    )


def _finite(points: Sequence[Point]) -> list[Point]:
    return [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]


def _thinned(points: list[Point]) -> list[Point]:
    """Average neighbours, so that a long training's curve is as light as a short one's."""
    if len(points) <= MAX_POINTS:
        return points
    size = math.ceil(len(points) / MAX_POINTS)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    averaged = [(group[-1][0], sum(y for _x, y in group) / len(group)) for group in groups]
    return [*averaged[:-1], points[-1]]


def _nice_range(low: float, high: float) -> tuple[float, float, float]:
    """Widen a range to whole steps of 1, 2 or 5 times a power of ten; returns low, high and the step."""
    if high - low <= abs(high) * 1e-6:
        margin = abs(high) * 0.1 or 1.0
        low, high = low - margin, high + margin
    raw = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
    return math.floor(low / step) * step, math.ceil(high / step) * step, step


def _x_values(last_x: float) -> list[float]:
    _low, _high, step = _nice_range(0, last_x)
    return [step * index for index in range(int(last_x / step) + 1)]


def _y_values(low: float, high: float, step: float) -> list[float]:
    return [low + step * index for index in range(round((high - low) / step) + 1)]


def _across(x: float, last_x: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (x / last_x if last_x else 0.0)


def _down(y: float, low: float, high: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (high - y) / (high - low)


def _number(value: float, step: float) -> str:
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value:,.{min(decimals, 6)}f}"


def _rows(curves: list[list[Point]]) -> list[list[str]]:
    by_x: dict[float, list[str]] = {}
    for column, points in enumerate(curves):
        for x, y in points:
            by_x.setdefault(x, [""] * len(curves))[column] = f"{y:.3f}"
    every = math.ceil(len(by_x) / MAX_ROWS)
    places = sorted(by_x)
    # Counted from the end: the newest numbers are the ones looked for.
    shown = sorted(places[::-1][::every])
    return [[f"{x:,.0f}", *by_x[x]] for x in shown]
