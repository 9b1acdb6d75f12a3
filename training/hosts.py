"""What an engine talks to while it trains: passes progress on, keeps the curves' points, stores snapshots.

The same for experiments and AI trainings; what a snapshot's row says of each, and what is charged for it, is
theirs.
"""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from PIL import Image

from catalog.exceptions import CatalogError
from engines.errors import EngineError
from engines.progress import Control, Progress
from engines.progress import Snapshot as EngineSnapshot
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError
from jobs.files import attempt_prefix, store_file, store_folder
from training import files
from training.models import TrainingRun
from training.nearest import NearestPictures
from training.pace import Pace
from training.runs import share_checkpoint, sweep_runs, sweep_withdrawn
from training.withdrawn import withdrawn_hashes, without_withdrawn

STATS_POINTS = 400  # of a whole training's curves


class Stopped(Exception):
    """The work ends here: told to stop before its first step, or without credits for the next ones."""


class TrainingHost(ABC):
    """One attempt at a training, as its engine sees it."""

    def __init__(self, context: JobContext, training: TrainingRun, pace: Pace) -> None:
        self._context = context
        self._training = training
        self.pace = pace
        self.nearest: NearestPictures | None = None
        self._every = max(1, training.steps // STATS_POINTS)
        self._sums: dict[str, list[float]] = {}
        self._has_stepped = False

    @abstractmethod
    def note_speed(self) -> None:
        """Have estimates learn from what this attempt took."""

    @abstractmethod
    def _values(self, snapshot: EngineSnapshot) -> dict[str, Any]:
        """What the row of a snapshot says besides what all have."""

    @abstractmethod
    def _deliver(self, step: int) -> bool:
        """Hand over the steps until here, inside the fence. Return whether the training may go on."""

    def progress(self, progress: Progress) -> Control:
        """Called by the engine after every step."""
        self._has_stepped = True
        self.pace.note_step()
        for name, value in progress.losses.items():
            self._sums.setdefault(name, []).append(value)
        if progress.step % self._every == 0 or progress.step == progress.total:
            self._keep_point(progress.step)
        return self._context.report(
            step=progress.step,
            total=progress.total,
            message=progress.message,
            eta_seconds=self.pace.seconds_left(progress.step),
            values={**progress.losses, "images_per_second": progress.images_per_second},
        )

    def snapshot(self, snapshot: EngineSnapshot, *, is_leftover: bool = False) -> None:
        """Called by the engine when a snapshot or a sample is completely on disk; stores and records it."""
        known = self._training.snapshots.filter(step=snapshot.step).exclude(folder="")
        # Before its first step the engine makes up for a snapshot that this machine does not have.
        is_repeated = is_leftover or snapshot.is_sample or not self._has_stepped
        if is_repeated and known.exists():
            return
        folder = f"{attempt_prefix(self._context.job)}snapshots/{snapshot.step:06d}"
        if snapshot.is_sample:
            store_file(snapshot.grid, f"{folder}/{snapshot.grid.name}")
        else:
            store_folder(snapshot.folder, folder)
            share_checkpoint(self._context, snapshot.folder.parent.parent)
            _drop_older(snapshot.folder)
        goes_on = self._record(snapshot, folder)
        if self._has_stepped:
            self.pace.note_snapshot(is_planned=not snapshot.is_sample)
        if not goes_on:
            # The checkpoint of this very step was written before its snapshot: nothing more is to be saved.
            raise Stopped

    def _record(self, snapshot: EngineSnapshot, folder: str) -> bool:
        """Write down a stored snapshot and settle its steps. Return whether the training may go on."""
        values = {
            "attempt": self._context.attempt,
            "grid": f"{folder}/{snapshot.grid.name}",
            "folder": "" if snapshot.is_sample else folder,
            "metrics": dict(snapshot.stats),
            **self._values(snapshot),
        }
        if self.nearest is not None and not snapshot.is_sample:
            with Image.open(snapshot.grid) as grid:
                values["nearest"] = self.nearest.of_grid(grid)
        with self._context.fenced():
            self._raise_if_deleted()
            if "nearest" in values:
                gone = withdrawn_hashes(self._training.dataset_version_id)
                values["nearest"] = without_withdrawn(values["nearest"], gone)
            self._training.snapshots.update_or_create(step=snapshot.step, defaults=values)
            goes_on = snapshot.is_sample or self._deliver(snapshot.step)
            self._context.touch()
        return goes_on

    def _keep_point(self, step: int) -> None:
        means: Mapping[str, float] = {
            name: round(sum(values) / len(values), 6) for name, values in self._sums.items()
        }
        self._sums = {}
        with self._context.fenced():
            self._raise_if_deleted()
            self._training.stats.update_or_create(step=step, defaults={"values": means})

    def _raise_if_deleted(self) -> None:
        if not type(self._training).objects.filter(pk=self._training.pk).exists():
            raise JobError(_("This training was deleted while it ran. Nothing else was touched."))


def run_training(host: TrainingHost, training: TrainingRun, train: Callable[[], bool]) -> Outcome:
    """Train, and say how that ended: `train` returns whether it came to its last step.

    This machine's folder of a training that is done goes when the job has ended. Raises JobError with what
    to do next.
    """
    sweep_runs()
    try:
        is_finished = train()
    except Stopped:
        is_finished = False
    except (EngineError, CatalogError) as error:
        raise JobError(str(error)) from error
    # Whoever withdrew a picture of it meanwhile may have done so on another machine.
    sweep_withdrawn([training.pk])
    host.note_speed()
    if not is_finished:
        return Outcome(state="stopped")
    forget_run = partial(shutil.rmtree, files.run_folder(training.pk), ignore_errors=True)
    return Outcome(apply=lambda: transaction.on_commit(forget_run, robust=True))


def _drop_older(snapshot_folder: Path) -> None:
    """Drop local copies of older snapshots."""
    for older in snapshot_folder.parent.iterdir():
        if older != snapshot_folder:
            shutil.rmtree(older, ignore_errors=True)
