"""Making pictures, in a generate worker. Imports torch, so nothing in a web process may import it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from django.utils.translation import gettext as _

from catalog.exceptions import BrokenModelError
from catalog.files import materialise
from catalog.models import ModelVersion
from engines.images import UInt8Array
from engines.progress import Control
from engines.stylegan.generate import Generator
from generation.keeping import store_picture
from generation.models import Generation, Picture
from generation.provenance import Recorder
from generation.services import priced_units
from jobs import warm
from jobs.attempts import Steps
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError

# Pictures that are made and shown together: few enough to stream in, enough to use the processor well.
BATCH_SIZE = 8


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Pictures that an order wants now."""

    version: ModelVersion
    seeds: Sequence[int]
    truncation_psi: float
    threads: int


def make_pictures(context: JobContext) -> Steps:
    """Make the pictures of one order, batch by batch; each is in the gallery as soon as its batch is done.

    An attempt goes on behind the batches that an earlier one finished. Stopping keeps what is made. The
    pictures themselves come from `make_together`, which serves the orders of a batch at once.
    """
    order = _order(context)
    version = order.model_version
    if version is None:
        raise JobError(_("The model was deleted before the images were made. Choose another model."))
    recorder = Recorder(order, version=version)
    made = order.pictures.count()
    for batch in _batches(order, made):
        if context.report(step=batch[0][0], total=order.count) is Control.STOP:
            return Outcome(state="stopped")
        images: UInt8Array = yield Wanted(
            version=version,
            seeds=[seed for _index, seed in batch],
            truncation_psi=order.truncation_psi,
            threads=context.threads,
        )
        pictures = [
            _store(context, order, recorder, index=index, seed=seed, pixels=pixels)
            for (index, seed), pixels in zip(batch, images, strict=True)
        ]
        made = batch[-1][0] + 1
        with context.fenced():
            Picture.objects.bulk_create(pictures)
            context.deliver(priced_units(made))
        context.report(step=made, total=order.count)
    return Outcome()


def make_together(wanted: Sequence[Wanted]) -> list[UInt8Array]:
    """Make what several orders want of the same model version, each its own seeds at its own truncation.

    A picture is what it would have been alone, to within one of 255 levels: the processor may add up a larger
    batch in another order.
    """
    torch.set_num_threads(wanted[0].threads)
    generator = _generator(wanted[0].version)
    images = generator.images(
        [seed for one in wanted for seed in one.seeds],
        truncation_psi=[one.truncation_psi for one in wanted for _seed in one.seeds],
        batch_size=BATCH_SIZE,
    )
    return np.split(images, np.cumsum([len(one.seeds) for one in wanted])[:-1])


def _order(context: JobContext) -> Generation:
    order: Generation = Generation.objects.select_related(
        "owner", "model_version__model__owner", "model_version__licence", "model_version__source"
    ).get(job_id=context.job_id)
    return order


def _generator(version: ModelVersion) -> Generator:
    try:
        folder = materialise(version)
    except BrokenModelError as error:
        raise JobError(str(error.message)) from error
    return warm.get(version.sha256, lambda: Generator.load(folder), lambda loaded: loaded.nbytes)


def _batches(order: Generation, made: int) -> Iterator[Sequence[tuple[int, int]]]:
    """Yield (index, seed) of the pictures that are still to be made, a batch at a time."""
    rest = list(enumerate(order.seeds))[made:]
    for start in range(0, len(rest), BATCH_SIZE):
        yield rest[start : start + BATCH_SIZE]


def _store(
    context: JobContext, order: Generation, recorder: Recorder, *, index: int, seed: int, pixels: UInt8Array
) -> Picture:
    """Write one picture's file and return its row, not inserted yet."""
    height, width = pixels.shape[:2]
    record = recorder.record(seed=seed, width=width, height=height)
    return store_picture(context, order, record, index=index, seed=seed, pixels=pixels)
