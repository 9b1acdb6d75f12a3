"""The report of a dataset: what training will see, and what to do about it, before anything is paid.

It is worked out of what is counted along (`training.tallies`), so it costs one query whatever the number of
pictures. What a frozen version keeps are the figures; the sentences are made when it is shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from django.db.models import Count
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from training import tallies
from training.marks import SMALL_BELOW, Mark
from training.models import Dataset, Purpose
from training.needs import Level, readiness

FORMAT = 1
# Root mean square distance of the pictures' layouts from their mean, in levels: below the first they hardly
# differ, from the second on they differ well.
_VARIETY = (20.0, 35.0)
# A share of pictures from which a flaw teaches the model more than it should.
_POOR_SHARE = 0.2
_BAR_HEIGHT = 24
_COUNTED = ("blurred", "dark", "bright", "flat", "long")


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What is known of the pictures.

    `alike`: how many are more than one of each group of near-copies. `counted` have their sizes here,
    `measured` their sharpness and exposure: fewer than `pictures` when some are older than that.
    """

    purpose: str
    pictures: int
    groups: int
    alike: int
    duplicates: int
    counted: int
    measured: int
    blurred: int
    dark: int
    bright: int
    flat: int
    small: int
    long: int
    # Counts by the shorter side and by width over height, as training.tallies has them.
    sides: list[int]
    aspects: list[int]
    variety: float | None


@dataclass(frozen=True)
class Bar:
    """One bar of a small histogram: its height out of 24, and what it counts, in words."""

    height: int
    label: str

    @property
    def top(self) -> int:
        """Where it begins, from above."""
        return _BAR_HEIGHT - self.height


@dataclass(frozen=True, kw_only=True)
class Line:
    """One meter with the sentence that says what to do.

    `percent`: how far it is filled. `mark`: the pictures it counts, "" for none. `bars`: how they spread,
    from `ends[0]` to `ends[1]`.
    """

    title: str
    value: str
    level: Level
    percent: int
    sentence: str
    mark: str = ""
    bars: Sequence[Bar] = ()
    ends: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Report:
    """Figures with their meters, the one that decides first."""

    figures: Figures
    lines: list[Line]
    is_enough: bool

    @property
    def purpose(self) -> Purpose:
        """What the pictures are judged for."""
        return Purpose(self.figures.purpose)


def report_of(dataset: Dataset) -> Report:
    """The report as the dataset stands. One query."""
    return _report(_figures(dataset))


def freeze(dataset: Dataset) -> dict[str, Any]:
    """The figures of the report as JSON, to be kept with a frozen version. One query."""
    return {"format": FORMAT, **asdict(_figures(dataset))}


def thaw(kept: Mapping[str, Any]) -> Report | None:
    """The report that `freeze` kept; None for a version from before there were any."""
    if kept.get("format") != FORMAT:
        return None
    return _report(Figures(**{name: kept[name] for name in Figures.__dataclass_fields__}))


def counts_of(figures: Figures) -> dict[Mark, int]:
    """How many pictures have each mark."""
    return {
        Mark.BLURRED: figures.blurred,
        Mark.DARK: figures.dark,
        Mark.BRIGHT: figures.bright,
        Mark.FLAT: figures.flat,
        Mark.SMALL: figures.small,
        Mark.LONG: figures.long,
        Mark.ALIKE: figures.alike + figures.groups,
    }


def _figures(dataset: Dataset) -> Figures:
    counted = {**tallies.empty(), **dataset.tallies}
    in_groups = dataset.images.filter(likeness_group__isnull=False).aggregate(
        pictures=Count("pk"), groups=Count("likeness_group", distinct=True)
    )
    smaller = sum(
        count
        for edge, count in zip(tallies.SIDE_EDGES, counted["sides"], strict=False)
        if edge <= SMALL_BELOW[dataset.purpose]
    )
    return Figures(
        purpose=dataset.purpose,
        pictures=dataset.picture_count,
        groups=in_groups["groups"],
        alike=in_groups["pictures"] - in_groups["groups"],
        counted=counted["pictures"],
        small=smaller,
        sides=counted["sides"],
        aspects=counted["aspects"],
        variety=tallies.variety(counted),
        **{name: counted[name] for name in ("duplicates", "measured", *_COUNTED)},
    )


def _report(figures: Figures) -> Report:
    need = readiness(figures.pictures, figures.purpose, alike=figures.alike)
    usable = Line(
        title=_("Usable pictures"),
        value=f"{figures.pictures - figures.alike:,}",
        level=need.level,
        percent=need.percent,
        sentence=need.sentence,
    )
    lines = [usable]
    if figures.pictures:
        lines.append(_near_copies(figures))
    if figures.measured:
        lines += [_sharpness(figures), _exposure(figures)]
    if figures.counted:
        lines += [_size(figures), _shape(figures)]
    if figures.variety is not None:
        lines.append(_variety(figures.variety, figures.purpose))
    return Report(figures, lines, need.is_enough)


def _near_copies(figures: Figures) -> Line:
    sentence = _("No two pictures are nearly the same.")
    if figures.alike:
        sentence = ngettext(
            "%(count)d picture is nearly a copy of another and teaches nothing new: keep one of the two.",
            "%(count)d pictures are nearly copies of others and teach nothing new: keep one of each.",
            figures.alike,
        ) % {"count": figures.alike}
    return _flaw(_("Near-copies"), figures.alike, figures.pictures, sentence, mark=Mark.ALIKE)


def _sharpness(figures: Figures) -> Line:
    sentence = _("All pictures look sharp.")
    if figures.blurred:
        sentence = ngettext(
            "%(count)d picture looks blurred, and a model learns blur too: remove it unless it is meant so.",
            "%(count)d pictures look blurred, and a model learns blur too: remove what is not meant so.",
            figures.blurred,
        ) % {"count": figures.blurred}
    return _flaw(_("Blurred"), figures.blurred, figures.measured, sentence, mark=Mark.BLURRED)


def _exposure(figures: Figures) -> Line:
    """Dark, washed out and pale ones together; a pale one may be dark as well, and counts for both."""
    marks = {Mark.DARK: figures.dark, Mark.BRIGHT: figures.bright, Mark.FLAT: figures.flat}
    count = min(figures.measured, sum(marks.values()))
    worst = max(marks, key=lambda mark: marks[mark])
    sentence = _("All pictures are well exposed.")
    if count:
        sentence = _(
            "%(dark)d too dark, %(bright)d washed out, %(flat)d pale: put better exposed ones in their place."
        ) % {"dark": figures.dark, "bright": figures.bright, "flat": figures.flat}
    return _flaw(_("Badly exposed"), count, figures.measured, sentence, mark=worst)


def _size(figures: Figures) -> Line:
    least = SMALL_BELOW[figures.purpose]
    sentence = _("Every shorter side has %(least)d pixels or more.") % {"least": least}
    if figures.small:
        sentence = ngettext(
            "%(count)d picture has a side of fewer than %(least)d pixels: find a larger copy.",
            "%(count)d pictures have a side of fewer than %(least)d pixels: find larger copies.",
            figures.small,
        ) % {"count": figures.small, "least": least}
    edges = tallies.SIDE_EDGES
    labels = [
        _("fewer than %(to)s pixels") % {"to": edges[0]},
        *(_("%(from)s to %(to)s pixels") % {"from": low, "to": high - 1} for low, high in pairwise(edges)),
        _("%(from)s pixels or more") % {"from": edges[-1]},
    ]
    bars = _bars(figures.sides, labels)
    ends = (_("small"), _("large"))
    return _flaw(_("Small"), figures.small, figures.counted, sentence, mark=Mark.SMALL, bars=bars, ends=ends)


def _shape(figures: Figures) -> Line:
    labels = [_("tall and narrow"), _("upright"), _("nearly square"), _("lying"), _("wide and low")]
    sentence = _("No side is more than twice the other: as squares, pictures lose little.")
    if figures.long:
        sentence = ngettext(
            "One side of %(count)d picture is more than twice the other: choose under Crop what is seen.",
            "One side of %(count)d pictures is more than twice the other: choose under Crop what is seen.",
            figures.long,
        ) % {"count": figures.long}
    bars = _bars(figures.aspects, labels)
    ends = (_("tall"), _("wide"))
    return _flaw(_("Long"), figures.long, figures.counted, sentence, mark=Mark.LONG, bars=bars, ends=ends)


def _variety(variety: float, purpose: str) -> Line:
    little, enough = _VARIETY
    level: Level = "good" if variety >= enough else "fair" if variety >= little else "poor"
    if level == "good":
        sentence = _("The pictures differ well from each other.")
    elif purpose == Purpose.EXPERIMENT:
        sentence = _("The pictures are much alike: add other views, or what comes out will be too.")
    else:
        sentence = _("The pictures are much alike: add other backgrounds, light and angles.")
    return Line(
        title=_("Variety"),
        value=f"{variety:.0f}",
        level=level,
        percent=min(100, round(100 * variety / enough)),
        sentence=sentence,
    )


def _flaw(
    title: str,
    count: int,
    total: int,
    sentence: str,
    *,
    mark: Mark,
    bars: Sequence[Bar] = (),
    ends: tuple[str, str] = ("", ""),
) -> Line:
    """A line about pictures with a flaw: the meter shows which part of all they are."""
    share = min(1.0, count / total)
    level: Level = "good" if not count else "poor" if share >= _POOR_SHARE else "fair"
    return Line(
        title=title,
        value=f"{count:,}",
        level=level,
        percent=round(100 * share),
        sentence=sentence,
        mark=mark if count else "",
        bars=bars,
        ends=ends,
    )


def _bars(counts: Sequence[int], labels: Sequence[str]) -> list[Bar]:
    most = max(1, *counts)
    return [
        # What is there at all is seen.
        Bar(height=max(1, round(_BAR_HEIGHT * count / most)) if count else 0, label=f"{label}: {count:,}")
        for count, label in zip(counts, labels, strict=True)
    ]
