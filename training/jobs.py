"""Training an experiment: from its frozen pictures and its starting point to snapshots, in a worker.

Each attempt has its own folder on this machine (`training.runs`); the next one takes the checkpoint from
there and goes on bit for bit. A late attempt that was thought dead writes into its own folder and behind the
fence of `JobContext.fenced`, so it can spoil nothing. Where storage is shared by several machines the
checkpoint goes there as well, with each snapshot.
"""

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from PIL import Image

from catalog.exceptions import CatalogError
from catalog.files import materialise
from engines.crops import CropMode
from engines.dataset import PreparedDataset, prepare
from engines.errors import EngineError
from engines.progress import Control, Progress
from engines.progress import Snapshot as EngineSnapshot
from engines.stylegan.config import PRESETS, Architecture, TrainConfig, preset_for
from engines.stylegan.train import train
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError
from jobs.files import attempt_prefix, store_file, store_folder
from jobs.machines import this_machine
from training import files, prices
from training.crops import frozen_crops
from training.models import Experiment, Snapshot, TrainingStat
from training.nearest import NearestPictures
from training.pace import Pace
from training.prices import config_of
from training.runs import RunFolders, local_pictures, share_checkpoint, sweep_runs, sweep_withdrawn
from training.speeds import megapixels_of, refine, speed_here
from training.withdrawn import withdrawn_hashes, without_withdrawn

STATS_POINTS = 400  # of a whole training's curves


class Stopped(Exception):
    """The work ends here: told to stop before its first step, or without credits for the next ones."""


def run_experiment(context: JobContext) -> Outcome:
    """Train the job's experiment until its last step or until told to stop, from its newest checkpoint on."""
    experiment = (
        Experiment.objects.select_related("dataset_version", "starting_point", "job__price")
        .filter(job_id=context.job_id)
        .first()
    )
    if experiment is None:
        raise JobError(_("The experiment was deleted while it was waiting. Nothing else was touched."))
    sweep_runs()
    host = ExperimentHost(context, experiment)
    try:
        is_finished = _train(context, experiment, host)
    except Stopped:
        is_finished = False
    except (EngineError, CatalogError) as error:
        raise JobError(str(error)) from error
    # Whoever withdrew a picture of it meanwhile may have done so on another machine.
    sweep_withdrawn([experiment.pk])
    host.note_speed()
    if not is_finished:
        return Outcome(state="stopped")
    forget_run = partial(shutil.rmtree, files.run_folder(experiment.pk), ignore_errors=True)
    return Outcome(apply=lambda: transaction.on_commit(forget_run, robust=True))


def _train(context: JobContext, experiment: Experiment, host: "ExperimentHost") -> bool:
    """Train from wherever the attempts before this one came to. Return whether that was to the last step."""
    keep_leftover = partial(host.snapshot, is_leftover=True)
    run_dir = RunFolders(context, experiment).enter(keep_leftover=keep_leftover)
    dataset = _prepare_pictures(context, experiment, host.pace)
    host.nearest = NearestPictures.of(context, experiment.dataset_version, dataset, run_dir)
    if host.nearest is not None:
        host.nearest.make_up(context, experiment.pk)
    config = _config(context, experiment, dataset, run_dir)
    return train(config, host).outcome == "finished"


def _config(
    context: JobContext, experiment: Experiment, dataset: PreparedDataset, run_dir: Path
) -> TrainConfig:
    start, preset = None, PRESETS[experiment.preset]
    if experiment.starting_point is not None:
        context.report(step=context.job.step, total=experiment.steps, message=_("Loading the starting point"))
        start = materialise(experiment.starting_point)
        preset = preset_for(Architecture.from_dict(experiment.starting_point.manifest["architecture"]))
    return preset.config(
        dataset=dataset.path,
        run_dir=run_dir,
        start=start,
        steps=experiment.steps,
        seed=experiment.seed,
        mirror=experiment.mirror,
        threads=context.threads,
        name=experiment.name,
        licence=experiment.dataset_version.licence_id,
        **experiment.settings,
    )


def _prepare_pictures(context: JobContext, experiment: Experiment, pace: Pace) -> PreparedDataset:
    """Cut and resize the frozen pictures into one array. Raises JobError when they were deleted."""
    version, done_before = experiment.dataset_version, context.job.step
    pace.note_loaded()

    def show(sentence: str, done: int, total: int) -> None:
        pace.note_picture(done, total)
        control = context.report(
            step=done_before,
            total=experiment.steps,
            message=sentence % {"done": done, "total": total},
            eta_seconds=pace.seconds_left(done_before),
        )
        if control is Control.STOP:
            raise Stopped

    fetching = _("Fetching picture %(done)d of %(total)d")
    preparing = _("Preparing picture %(done)d of %(total)d")
    crops, boxes = frozen_crops(version)
    # No seed: random crops depend on the picture alone, so that they are those that its dataset's page shows.
    return prepare(
        local_pictures(context, version, on_progress=partial(show, fetching)),
        files.prepared_folder(experiment.pk),
        resolution=experiment.resolution,
        crop=cast("CropMode", version.crop),
        crops=crops,
        boxes=boxes,
        on_progress=partial(show, preparing),
    )


class ExperimentHost:
    """What the engine talks to: passes progress on, keeps the curves' points, stores snapshots."""

    def __init__(self, context: JobContext, experiment: Experiment) -> None:
        self._context = context
        self._experiment = experiment
        self.pace = _pace(context, experiment)
        self.nearest: NearestPictures | None = None
        self._every = max(1, experiment.steps // STATS_POINTS)
        self._sums: dict[str, list[float]] = {}
        self._has_stepped = False

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
        known = Snapshot.objects.filter(experiment=self._experiment, step=snapshot.step).exclude(folder="")
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
            self._drop_older(snapshot.folder)
        goes_on = self._record(snapshot, folder)
        if self._has_stepped:
            self.pace.note_snapshot(is_planned=not snapshot.is_sample)
        if not goes_on:
            # The checkpoint of this very step was written before its snapshot: nothing more is to be saved.
            raise Stopped

    def note_speed(self) -> None:
        """Have estimates learn from what this attempt took."""
        taken = self.pace.taken()
        if taken is not None:
            with self._context.fenced():
                refine(self._experiment, machine=this_machine(), threads=self._context.threads, taken=taken)

    def _record(self, snapshot: EngineSnapshot, folder: str) -> bool:
        """Write down a stored snapshot and settle its steps. Return whether the training may go on."""
        values: dict[str, Any] = {
            "attempt": self._context.attempt,
            "images_seen": snapshot.nimg,
            "grid": f"{folder}/{snapshot.grid.name}",
            "folder": "" if snapshot.is_sample else folder,
            "metrics": dict(snapshot.stats),
        }
        if self.nearest is not None and not snapshot.is_sample:
            with Image.open(snapshot.grid) as grid:
                values["nearest"] = self.nearest.of_grid(grid)
        with self._context.fenced():
            _experiment_still_there(self._experiment.pk)
            if "nearest" in values:
                gone = withdrawn_hashes(self._experiment.dataset_version_id)
                values["nearest"] = without_withdrawn(values["nearest"], gone)
            Snapshot.objects.update_or_create(
                experiment=self._experiment, step=snapshot.step, defaults=values
            )
            goes_on = snapshot.is_sample or self._deliver(snapshot.step)
            self._context.touch()
        return goes_on

    def _deliver(self, step: int) -> bool:
        """Hand over the steps until here; with a planned snapshot pay them and hold the credits for the next.

        Return whether the training may go on.
        """
        experiment = self._experiment
        if not prices.is_slice_end(experiment, step):
            self._context.deliver(step)
            return True
        until = prices.next_slice_end(experiment, step)
        next_quote = prices.quote_steps(experiment.job.price, after=step, until=until)
        return self._context.deliver_slice(step, next_quote=next_quote)

    def _drop_older(self, snapshot_folder: Path) -> None:
        """Drop local copies of older snapshots."""
        for older in snapshot_folder.parent.iterdir():
            if older != snapshot_folder:
                shutil.rmtree(older, ignore_errors=True)

    def _keep_point(self, step: int) -> None:
        means: Mapping[str, float] = {
            name: round(sum(values) / len(values), 6) for name, values in self._sums.items()
        }
        self._sums = {}
        with self._context.fenced():
            _experiment_still_there(self._experiment.pk)
            TrainingStat.objects.update_or_create(
                experiment=self._experiment, step=step, defaults={"values": means}
            )


def _pace(context: JobContext, experiment: Experiment) -> Pace:
    """The clock of an attempt, which has been running since the worker took the job."""
    version, began = experiment.dataset_version, context.job.started_at or timezone.now()
    return Pace(
        config_of(experiment),
        pictures=version.count,
        megapixels=megapixels_of(version),
        done=context.job.step,
        expected=speed_here(experiment, machine=this_machine(), threads=context.threads),
        waited=(timezone.now() - began).total_seconds(),
    )


def _experiment_still_there(experiment_id: UUID) -> None:
    if not Experiment.objects.filter(pk=experiment_id).exists():
        raise JobError(_("The experiment was deleted while it ran. Nothing else was touched."))
