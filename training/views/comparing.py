"""Looking at snapshots closely: two of them beside each other, and the training pictures nearest to one."""

from collections.abc import Sequence
from typing import Any, TypeVar

from django.http import Http404

from training import neighbours, selectors
from training.models import AISnapshot, Snapshot, TrainingRun
from training.views.requests import StudioRequest

AnySnapshot = Snapshot | AISnapshot
Kind = TypeVar("Kind", bound=AnySnapshot)


def find_snapshot(snapshots: Sequence[Kind], wanted: str) -> Kind | None:
    """Return the snapshot with an id, None where none is named. Raises Http404 for one that is not there."""
    if not wanted:
        return None
    for snapshot in snapshots:
        if str(snapshot.pk) == wanted:
            return snapshot
    raise Http404


def comparison(
    request: StudioRequest, snapshots: Sequence[AnySnapshot], *, columns: int, count: int
) -> dict[str, Any]:
    """Two snapshots of so many pictures, by default the first and the last; `?picture=` names one pair.

    Empty where there are fewer than two snapshots.
    """
    if len(snapshots) < 2:
        return {}
    first = find_snapshot(snapshots, request.GET.get("a", "")) or snapshots[0]
    second = find_snapshot(snapshots, request.GET.get("b", "")) or snapshots[-1]
    cells = [(index + 1, index % columns, index // columns) for index in range(count)]
    picture = request.GET.get("picture", "")
    return {
        "compared": (first, second),
        "sides": [("a", selectors.Frame.of(first)), ("b", selectors.Frame.of(second))],
        "snapshots": snapshots,
        "address": f"a={first.pk}&b={second.pk}",
        "cells": cells,
        "pair": next((cell for cell in cells if str(cell[0]) == picture), None),
        "with_divider": request.GET.get("view") == "divider",
    }


def nearest_pictures(
    request: StudioRequest, training: TrainingRun, snapshots: Sequence[AnySnapshot], *, columns: int
) -> dict[str, Any]:
    """The training picture nearest to each sample of a snapshot; empty before any was measured."""
    measured = [snapshot for snapshot in snapshots if snapshot.nearest]
    if not measured:
        return {}
    snapshot = find_snapshot(measured, request.GET.get("snapshot", "")) or measured[-1]
    found = neighbours.neighbours_of(training, snapshot, columns=columns)
    return {
        "snapshot": snapshot,
        "measured": measured,
        "frame": selectors.Frame.of(snapshot),
        "neighbours": found,
        "suspects": neighbours.suspects(found),
    }
