"""Figures of snapshots as pages show them."""

from training.models import Snapshot
from training.quality import figures_of, quality_charts

METRICS = {"distance": 0.5, "distance_floor": 0.125, "distance_samples": 256, "diversity": 2.0}


def test_every_figure_is_named_measured_or_not():
    distance, kernel, *_others, variety = figures_of(Snapshot(step=1, metrics=METRICS))
    assert (distance.value, distance.reference, distance.samples) == ("0.5", "0.125", 256)
    assert "not FID" in distance.meaning
    assert (kernel.value, kernel.reference) == ("", "")
    assert (variety.value, variety.reference) == ("2", "")


def test_the_floor_is_a_line_across_the_chart():
    snapshots = [Snapshot(step=step, metrics=METRICS | {"distance": 1 / step}) for step in (1, 2)]
    distance, variety = quality_charts(snapshots, last_x=4)
    curve, floor = distance.lines
    assert len(curve.points.split()) == 2
    first, last = (point.split(",") for point in floor.points.split())
    assert first[1] == last[1]
    assert (float(first[0]), float(last[0])) == (48, 628)
    assert "measured on 256 pictures" in distance.summary
    assert len(variety.lines) == 1


def test_one_snapshot_is_no_curve():
    assert quality_charts([Snapshot(step=1, metrics=METRICS), Snapshot(step=2)], last_x=4) == []
