"""Training an experiment: from its frozen pictures and its starting point to snapshots, in a worker.

Each attempt has its own folder on this machine, `runs/<experiment>/<attempt>/`, which outlives it: the next
attempt copies the checkpoint from there and goes on bit for bit. A late attempt that was thought dead writes
into its own folder and behind the fence of `JobContext.fenced`, so it can spoil nothing. Where storage is
shared by several machines the checkpoint goes there as well, with each snapshot.
"""

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import cast
from uuid import UUID

from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.exceptions import CatalogError
from catalog.files import materialise
from engines.crops import CropMode
from engines.dataset import PreparedDataset, prepare
from engines.errors import EngineError
from engines.files import atomic_folder
from engines.progress import Control, Progress
from engines.progress import Snapshot as EngineSnapshot
from engines.stylegan.config import PRESETS, Architecture, TrainConfig, preset_for
from engines.stylegan.snapshots import latest_snapshot
from engines.stylegan.train import CHECKPOINTS, train
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError
from jobs.files import attempt_prefix, fetch_folder, list_keys, store_file, store_folder
from training import files
from training.models import DatasetVersion, Experiment, Snapshot, TrainingStat

STATS_POINTS = 400  # of a whole training's curves


class Stopped(Exception):
    """The work was told to stop before its first step."""


def run_experiment(context: JobContext) -> Outcome:
    """Train the job's experiment until its last step or until told to stop, from its newest checkpoint on."""
    experiment = (
        Experiment.objects.select_related("dataset_version", "starting_point", "job")
        .filter(job_id=context.job_id)
        .first()
    )
    if experiment is None:
        raise JobError(_("The experiment was deleted while it was waiting. Nothing else was touched."))
    host = ExperimentHost(context, experiment)
    run_dir = RunFolders(context, experiment).enter(host)
    try:
        dataset = _prepare_pictures(context, experiment)
        config = _config(context, experiment, dataset, run_dir)
        result = train(config, host)
    except Stopped:
        return Outcome(state="stopped")
    except (EngineError, CatalogError) as error:
        raise JobError(str(error)) from error
    if result.outcome == "stopped":
        return Outcome(state="stopped")
    forget_run = partial(shutil.rmtree, files.run_folder(experiment.pk), ignore_errors=True)
    return Outcome(apply=lambda: transaction.on_commit(forget_run, robust=True))


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


def _prepare_pictures(context: JobContext, experiment: Experiment) -> PreparedDataset:
    """Cut and resize the frozen pictures into one array. Raises JobError when they were deleted."""
    version = experiment.dataset_version

    def show(done: int, total: int) -> None:
        message = _("Preparing picture %(done)d of %(total)d") % {"done": done, "total": total}
        control = context.report(step=context.job.step, total=experiment.steps, message=message)
        if control is Control.STOP:
            raise Stopped

    crop = cast("CropMode", version.crop)
    return prepare(
        _local_pictures(context, version),
        files.prepared_folder(experiment.pk),
        resolution=experiment.resolution,
        crop=crop,
        seed=experiment.seed,
        on_progress=show,
    )


def _local_pictures(context: JobContext, version: DatasetVersion) -> list[tuple[str, Path]]:
    pictures = []
    for picture in version.pictures:
        path = files.local_path(picture["file"]) or _fetched(context, picture["file"])
        if version.dataset_id is None or not path.is_file():
            raise JobError(
                _(
                    "The pictures of this training were deleted, so it cannot go on. The snapshots "
                    "it has made can still be saved. Start a new experiment with another dataset."
                )
            )
        pictures.append((picture["sha256"], path))
    return pictures


def _fetched(context: JobContext, key: str) -> Path:
    path = context.workdir / "pictures" / key.rsplit("/", 1)[-1]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with default_storage.open(key) as stored, path.open("wb") as copy:
            shutil.copyfileobj(stored, copy)
    except FileNotFoundError:
        path.unlink(missing_ok=True)
    return path


class RunFolders:
    """The folders of an experiment's attempts on this machine."""

    def __init__(self, context: JobContext, experiment: Experiment) -> None:
        self._context = context
        self._root = files.run_folder(experiment.pk)
        self._own = self._root / str(context.attempt)

    def enter(self, host: "ExperimentHost") -> Path:
        """Make this attempt's folder, with the newest checkpoint of the earlier ones, which are removed."""
        earlier = self._earlier()
        checkpoints = next((found for attempt in earlier if (found := _checkpoints(attempt))), None)
        if checkpoints is not None:
            with atomic_folder(self._own / CHECKPOINTS) as draft:
                shutil.copytree(checkpoints, draft, dirs_exist_ok=True)
        else:
            self._fetch_checkpoints()
        for attempt in earlier:
            # It was written, but its worker died before it could say so.
            leftover = latest_snapshot(attempt)
            if leftover is not None:
                host.snapshot(leftover, is_leftover=True)
            shutil.rmtree(attempt, ignore_errors=True)
        self._own.mkdir(parents=True, exist_ok=True)
        return self._own

    def _earlier(self) -> list[Path]:
        """Folders of earlier attempts, the newest first."""
        if not self._root.is_dir():
            return []
        found = [path for path in self._root.iterdir() if path.name.isdigit() and path != self._own]
        return sorted(found, key=lambda path: int(path.name), reverse=True)

    def _fetch_checkpoints(self) -> None:
        """From storage, when an earlier attempt ran on another machine."""
        for attempt in range(self._context.attempt - 1, 0, -1):
            prefix = checkpoint_prefix(self._context, attempt)
            if list_keys(prefix):
                with atomic_folder(self._own / CHECKPOINTS) as draft:
                    fetch_folder(prefix, draft)
                return


def _checkpoints(attempt: Path) -> Path | None:
    folder = attempt / CHECKPOINTS
    return folder if folder.is_dir() and any(path.name.isdigit() for path in folder.iterdir()) else None


def checkpoint_prefix(context: JobContext, attempt: int) -> str:
    """Where an attempt's checkpoint lies in storage that several machines share."""
    return f"{attempt_prefix(context.job, attempt)}checkpoints"


class ExperimentHost:
    """What the engine talks to: passes progress on, keeps the curves' points, stores snapshots."""

    def __init__(self, context: JobContext, experiment: Experiment) -> None:
        self._context = context
        self._experiment = experiment
        self._every = max(1, experiment.steps // STATS_POINTS)
        self._sums: dict[str, list[float]] = {}

    def progress(self, progress: Progress) -> Control:
        """Called by the engine after every step."""
        for name, value in progress.losses.items():
            self._sums.setdefault(name, []).append(value)
        if progress.step % self._every == 0 or progress.step == progress.total:
            self._keep_point(progress.step)
        return self._context.report(
            step=progress.step,
            total=progress.total,
            message=progress.message,
            eta_seconds=progress.eta_seconds,
            values={**progress.losses, "images_per_second": progress.images_per_second},
        )

    def snapshot(self, snapshot: EngineSnapshot, *, is_leftover: bool = False) -> None:
        """Called by the engine when a snapshot or a sample is completely on disk; stores and records it."""
        known = Snapshot.objects.filter(experiment=self._experiment, step=snapshot.step).exclude(folder="")
        if (is_leftover or snapshot.is_sample) and known.exists():
            return
        folder = f"{attempt_prefix(self._context.job)}snapshots/{snapshot.step:06d}"
        if snapshot.is_sample:
            store_file(snapshot.grid, f"{folder}/{snapshot.grid.name}")
        else:
            store_folder(snapshot.folder, folder)
            self._share_checkpoint(snapshot.folder)
        self._record(snapshot, folder)

    def _record(self, snapshot: EngineSnapshot, folder: str) -> None:
        values = {
            "attempt": self._context.attempt,
            "images_seen": snapshot.nimg,
            "grid": f"{folder}/{snapshot.grid.name}",
            "folder": "" if snapshot.is_sample else folder,
            "metrics": dict(snapshot.stats),
        }
        with self._context.fenced():
            _experiment_still_there(self._experiment.pk)
            Snapshot.objects.update_or_create(
                experiment=self._experiment, step=snapshot.step, defaults=values
            )
            self._context.touch()

    def _share_checkpoint(self, snapshot_folder: Path) -> None:
        """Store the checkpoint where other machines find it; drop local copies of older snapshots."""
        run_dir = snapshot_folder.parent.parent
        if files.local_path("checkpoints") is None and (run_dir / CHECKPOINTS).is_dir():
            prefix = checkpoint_prefix(self._context, self._context.attempt)
            stale = set(list_keys(prefix))
            stale -= set(store_folder(run_dir / CHECKPOINTS, prefix))
            files.remove_files(stale)
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


def _experiment_still_there(experiment_id: UUID) -> None:
    if not Experiment.objects.filter(pk=experiment_id).exists():
        raise JobError(_("The experiment was deleted while it ran. Nothing else was touched."))
