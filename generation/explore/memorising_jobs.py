"""Measuring what a model has learnt by heart. Imports torch, so nothing in a web process may import it."""

import shutil
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch
from django.core.files.storage import default_storage
from django.utils import timezone
from django.utils.translation import gettext as _

from catalog.exceptions import BrokenModelError
from catalog.files import materialise
from catalog.models import ModelVersion
from catalog.registry import training_indexes
from engines.errors import EngineError
from engines.images import UInt8Array
from engines.metrics.memorisation import Memorisation as Measured
from engines.metrics.memorisation import memorisation
from engines.metrics.nearest import SIDE, NearestIndex, thumbnails
from engines.progress import Control
from engines.stylegan.generate import Generator
from generation.explore.look_jobs import Between
from generation.explore.memorising import GONE
from generation.models import Memorisation
from jobs import warm
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError

# Pictures that are made and measured; of larger ones fewer, because they take so much longer.
SAMPLES, SAMPLES_OF_LARGE, LARGE = 1000, 256, 256
# Seeds that nobody chooses: those of grids and first pictures are small.
FIRST_SEED = 2_000_000
BATCH = 16


def measure(context: JobContext) -> Outcome:
    """Make pictures of the job's version and measure them against its training pictures."""
    row = Memorisation.objects.select_related("version__model").filter(job_id=context.job_id).first()
    if row is None:
        raise JobError(_("The model was deleted before it was measured."))
    torch.set_num_threads(context.threads)
    try:
        index = _index(row.version, context.workdir)
        small = _samples(context, row.version)
        if small is None:
            return Outcome(state="stopped")
        found = memorisation(index, small)
    except BrokenModelError as error:
        raise JobError(str(error.message)) from error
    except EngineError as error:
        raise JobError(str(error)) from error
    return Outcome(apply=partial(_write, row.pk, found))


def _index(version: ModelVersion, folder: Path) -> NearestIndex:
    """One index of all datasets of the version's lineage. Raises JobError where there is none any more."""
    indexes = []
    for number, key in enumerate(training_indexes(version)):
        path = folder / f"nearest-{number}.safetensors"
        try:
            with default_storage.open(key) as stored, path.open("wb") as copy:
                shutil.copyfileobj(stored, copy)
        except FileNotFoundError:  # its dataset was deleted meanwhile
            continue
        indexes.append(NearestIndex.read(path))
    if not indexes:
        raise JobError(_(GONE))
    return NearestIndex.of_all(indexes)


def _samples(context: JobContext, version: ModelVersion) -> UInt8Array | None:
    """Small copies of pictures of the version, uint8 `[N, 16, 16, 3]`; None where it is to stop."""
    folder = materialise(version)
    generator = warm.get(version.sha256, lambda: Generator.load(folder), lambda loaded: loaded.nbytes)
    count = SAMPLES if generator.resolution < LARGE else SAMPLES_OF_LARGE
    small, looks = [], Between()
    for done in range(0, count, BATCH):
        if context.report(step=done, total=count) is Control.STOP:
            return None
        seeds = range(FIRST_SEED + done, FIRST_SEED + min(done + BATCH, count))
        images = generator.images(list(seeds), truncation_psi=1.0, batch_size=BATCH)
        small.append(thumbnails(images).reshape(-1, SIDE, SIDE, 3))
        looks.serve()
    context.report(step=count, total=count)
    return np.concatenate(small)


def _write(pk: int, found: Measured) -> None:
    Memorisation.objects.filter(pk=pk).update(figures=asdict(found), measured_at=timezone.now())
