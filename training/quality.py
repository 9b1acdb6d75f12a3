"""The quality figures of snapshots as pages show them: named, counted, beside what they are held against."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from engines.metrics.names import FIGURES, SAMPLES, Figure
from training.charts import Chart, line_chart
from training.models import Snapshot


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One figure of one snapshot. `value` and `reference` are "" where they were not measured."""

    title: str
    meaning: str
    value: str
    reference_title: str
    reference: str
    samples: int


def figures_of(snapshot: Snapshot) -> list[Measured]:
    """Every figure there is, measured or not."""
    return [_measured(figure, snapshot.metrics) for figure in FIGURES.values()]


def quality_charts(snapshots: Sequence[Snapshot], *, last_x: float) -> list[Chart]:
    """A chart for each figure that two snapshots have: its curve, and what it is held against as a line."""
    charts = (_chart(figure, snapshots, last_x) for figure in FIGURES.values())
    return [chart for chart in charts if chart is not None]


def _measured(figure: Figure, metrics: Mapping[str, float]) -> Measured:
    return Measured(
        title=_(figure.title),
        meaning=_(figure.meaning),
        value=_number(metrics.get(figure.key)),
        reference_title=_(figure.reference_title),
        reference=_number(metrics.get(figure.reference)),
        samples=int(metrics.get(SAMPLES, 0)),
    )


def _chart(figure: Figure, snapshots: Sequence[Snapshot], last_x: float) -> Chart | None:
    measured = [(one.step, one.metrics) for one in snapshots if figure.key in one.metrics]
    if len(measured) < 2:
        return None
    newest = measured[-1][1]
    curve = [(float(step), float(values[figure.key])) for step, values in measured]
    series = {figure.key: (_("Generated pictures"), curve)}
    if figure.reference in newest:
        floor = float(newest[figure.reference])
        series[figure.reference] = (_(figure.reference_title), [(0.0, floor), (last_x, floor)])
    samples = int(newest.get(SAMPLES, 0))
    summary = _("%(title)s by step, measured on %(samples)s pictures.") % {
        "title": _(figure.title), "samples": f"{samples:,}",
    }  # fmt: skip
    return line_chart(title=_(figure.title), summary=summary, x_label=_("Step"), series=series, last_x=last_x)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
