"""Training a LoRA: from its frozen pictures and its base to snapshots and a model, in a worker.

How attempts survive each other is as for experiments (`training.jobs`, `training.runs`).
"""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from django.utils import timezone
from django.utils.translation import gettext as _
from PIL import Image

from catalog.exceptions import CatalogError
from catalog.files import materialise
from engines.crops import CropMode
from engines.dataset import prepare
from engines.diffusion.config import TrainConfig, TrainPicture
from engines.diffusion.snapshots import latest_snapshot
from engines.diffusion.train import train
from engines.diffusion.updates import PRIOR_FILE
from engines.progress import Control
from engines.progress import Snapshot as EngineSnapshot
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError
from jobs.machines import this_machine
from training import files
from training.ai_plans import config_of, plan_of, sheet_of
from training.ai_speeds import refine, speed_here
from training.crops import frozen_crops
from training.exceptions import TrainingError
from training.hosts import Stopped, TrainingHost, run_training
from training.models import AITraining
from training.nearest import Grid, NearestPictures
from training.pace import Pace
from training.runs import RunFolders, local_pictures
from training.services import save_ai_model
from training.speeds import megapixels_of

logger = logging.getLogger(__name__)

# Pixels a side at which samples are held against training pictures.
COMPARED_SIDE = 64

# SHA-256 and local file of a picture.
LocalPicture = tuple[str, Path]


def run_ai_training(context: JobContext) -> Outcome:
    """Train the job's LoRA until its last step or until told to stop, from its newest checkpoint on.

    A training that is done is saved to its owner's models. Raises JobError with what to do next.
    """
    training = (
        AITraining.objects.select_related("dataset_version__licence", "base__model", "owner", "job__price")
        .filter(job_id=context.job_id)
        .first()
    )
    if training is None:
        raise JobError(_("The training was deleted while it was waiting. Nothing else was touched."))
    host = AITrainingHost(context, training, _pace(context, training))
    return run_training(host, training, partial(_train_and_save, context, training, host))


class AITrainingHost(TrainingHost):
    """Hands over a training's steps with each snapshot; its credits are settled when it ends."""

    _training: AITraining

    def note_speed(self) -> None:
        """Have estimates learn from what this attempt took."""
        taken = self.pace.taken()
        if taken is not None:
            with self._context.fenced():
                refine(self._training, machine=this_machine(), threads=self._context.threads, taken=taken)

    def _values(self, snapshot: EngineSnapshot) -> dict[str, Any]:
        return {}

    def _deliver(self, step: int) -> bool:
        self._context.deliver(step)
        return True


def _train_and_save(context: JobContext, training: AITraining, host: "AITrainingHost") -> bool:
    """Train; save what is done to the owner's models. Return whether it is."""
    is_finished = _train(context, training, host)
    if is_finished:
        _save(context, training)
    return is_finished


def _train(context: JobContext, training: AITraining, host: AITrainingHost) -> bool:
    """Train from wherever the attempts before this one came to. Return whether that was to the last step."""
    host.pace.note_loaded()
    folders = RunFolders(context, training.pk, latest_snapshot, carried=[PRIOR_FILE])
    run_dir = folders.enter(keep_leftover=partial(host.snapshot, is_leftover=True))
    pictures = _fetch(context, training, host.pace)
    host.nearest = _nearest_pictures(context, training, pictures, run_dir)
    if host.nearest is not None:
        host.nearest.make_up(context, training)
    _report(context, training, _("Loading the base model"))
    config = _config(context, training, _shown(context, training, pictures), run_dir)
    return train(config, host).outcome == "finished"


def _config(
    context: JobContext, training: AITraining, pictures: Sequence[TrainPicture], run_dir: Path
) -> TrainConfig:
    return config_of(
        training,
        base=materialise(training.base),
        run_dir=run_dir,
        pictures=pictures,
        author=training.owner.public_name,
        licence=training.dataset_version.licence.spdx_id or training.dataset_version.licence.name,
        threads=context.threads,
        device=context.device,
    )


def _fetch(context: JobContext, training: AITraining, pace: Pace) -> list[LocalPicture]:
    """Have the frozen pictures on this machine. Raises JobError when they were deleted or one withdrawn."""

    def show(done: int, total: int) -> None:
        pace.note_picture(done, total)
        _report(
            context, training, _("Fetching picture %(done)d of %(total)d") % {"done": done, "total": total}
        )

    return local_pictures(context, training.dataset_version, on_progress=show)


def _report(context: JobContext, training: AITraining, message: str) -> None:
    """Say what is done before the first step. Raises Stopped."""
    if context.report(step=context.job.step, total=training.steps, message=message) is Control.STOP:
        raise Stopped


def _nearest_pictures(
    context: JobContext, training: AITraining, pictures: Sequence[LocalPicture], run_dir: Path
) -> NearestPictures | None:
    """What samples are held against: the pictures as squares, small."""
    version = training.dataset_version
    crops, boxes = frozen_crops(version)
    squares = prepare(
        pictures,
        files.prepared_folder(training.pk),
        resolution=COMPARED_SIDE,
        crop=cast("CropMode", version.crop),
        crops=crops,
        boxes=boxes,
    )
    columns, _rows = sheet_of(training)
    grid = Grid(
        side=training.base.manifest["resolution"], columns=columns, count=len(training.sample_prompts)
    )
    return NearestPictures.of(context, version, squares, run_dir, grid=grid, by_picture=True)


def _shown(context: JobContext, training: AITraining, pictures: Sequence[LocalPicture]) -> list[TrainPicture]:
    """The pictures with their captions, those with a box of their own cut to it."""
    version = training.dataset_version
    _crops, boxes = frozen_crops(version)
    captions = {each["sha256"]: each.get("caption", "") for each in version.pictures}
    shown = []
    for sha256, path in pictures:
        box = boxes.get(sha256)
        cut = path if box is None else _cut(path, box, context.workdir / "boxes" / f"{sha256}.png")
        lines = tuple(captions[sha256].split("\n")) if captions[sha256] else ()
        shown.append(TrainPicture(path=cut, captions=lines))
    return shown


def _cut(path: Path, box: tuple[int, int, int, int], target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(path) as picture:
        picture.convert("RGB").crop(box).save(target)
    return target


def _save(context: JobContext, training: AITraining) -> None:
    """Save the last snapshot to the owner's models; where that cannot be, the page offers it."""
    try:
        with context.fenced():
            save_ai_model(training=training)
    except (CatalogError, TrainingError):
        logger.exception("AI training %s could not be saved to its owner's models", training.pk)


def _pace(context: JobContext, training: AITraining) -> Pace:
    """The clock of an attempt, which has been running since the worker took the job."""
    began = context.job.started_at or timezone.now()
    return Pace(
        plan_of(training),
        megapixels=megapixels_of(training.dataset_version),
        done=context.job.step,
        expected=speed_here(training, machine=this_machine(), threads=context.threads),
        waited=(timezone.now() - began).total_seconds(),
    )
