"""Training an experiment: from its frozen pictures and its starting point to snapshots, in a worker.

Each attempt has its own folder on this machine (`training.runs`); the next one takes the checkpoint from
there and goes on bit for bit. A late attempt that was thought dead writes into its own folder and behind the
fence of `JobContext.fenced`, so it can spoil nothing. Where storage is shared by several machines the
checkpoint goes there as well, with each snapshot.
"""

from functools import partial
from pathlib import Path
from typing import Any, cast

from django.utils import timezone
from django.utils.translation import gettext as _

from catalog.files import materialise
from engines.crops import CropMode
from engines.dataset import PreparedDataset, prepare
from engines.progress import Control
from engines.progress import Snapshot as EngineSnapshot
from engines.stylegan.config import PRESETS, Architecture, TrainConfig, preset_for
from engines.stylegan.snapshots import latest_snapshot
from engines.stylegan.train import train
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError
from jobs.machines import this_machine
from training import files, prices
from training.crops import frozen_crops
from training.hosts import Stopped, TrainingHost, run_training
from training.models import Experiment
from training.nearest import NearestPictures
from training.pace import Pace
from training.runs import RunFolders, local_pictures
from training.speeds import megapixels_of, plan_of, refine, speed_here


def run_experiment(context: JobContext) -> Outcome:
    """Train the job's experiment until its last step or until told to stop, from its newest checkpoint on."""
    experiment = (
        Experiment.objects.select_related("dataset_version", "starting_point", "job__price")
        .filter(job_id=context.job_id)
        .first()
    )
    if experiment is None:
        raise JobError(_("The experiment was deleted while it was waiting. Nothing else was touched."))
    host = ExperimentHost(context, experiment, _pace(context, experiment))
    return run_training(host, experiment, partial(_train, context, experiment, host))


def _train(context: JobContext, experiment: Experiment, host: "ExperimentHost") -> bool:
    """Train from wherever the attempts before this one came to. Return whether that was to the last step."""
    keep_leftover = partial(host.snapshot, is_leftover=True)
    run_dir = RunFolders(context, experiment.pk, latest_snapshot).enter(keep_leftover=keep_leftover)
    dataset = _prepare_pictures(context, experiment, host.pace)
    host.nearest = NearestPictures.of(context, experiment.dataset_version, dataset, run_dir)
    if host.nearest is not None:
        host.nearest.make_up(context, experiment)
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


class ExperimentHost(TrainingHost):
    """Pays a training from snapshot to snapshot, and counts the images it has seen."""

    _training: Experiment

    def note_speed(self) -> None:
        """Have estimates learn from what this attempt took."""
        taken = self.pace.taken()
        if taken is not None:
            with self._context.fenced():
                refine(self._training, machine=this_machine(), threads=self._context.threads, taken=taken)

    def _values(self, snapshot: EngineSnapshot) -> dict[str, Any]:
        return {"images_seen": snapshot.nimg}

    def _deliver(self, step: int) -> bool:
        """With a planned snapshot pay the steps until here and hold the credits for the next."""
        experiment = self._training
        if not prices.is_slice_end(experiment, step):
            self._context.deliver(step)
            return True
        until = prices.next_slice_end(experiment, step)
        next_quote = prices.quote_steps(experiment.job.price, after=step, until=until)
        return self._context.deliver_slice(step, next_quote=next_quote)


def _pace(context: JobContext, experiment: Experiment) -> Pace:
    """The clock of an attempt, which has been running since the worker took the job."""
    version, began = experiment.dataset_version, context.job.started_at or timezone.now()
    return Pace(
        plan_of(experiment, version.count),
        megapixels=megapixels_of(version),
        done=context.job.step,
        expected=speed_here(experiment, machine=this_machine(), threads=context.threads),
        waited=(timezone.now() - began).total_seconds(),
    )
