"""The light job that draws a sample dataset: our own deterministic pictures, in seconds."""

import hashlib
import io

from PIL import Image

from engines.progress import Control
from engines.starters.drawings import draw
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError
from training import files
from training.adding import dataset_gone, lock_dataset, put_in, store_image
from training.alikes import Alikes
from training.ingest import CheckedPicture, look_of, pixel_sha256
from training.models import Dataset, DatasetImage, Upload

SIDE = 128  # pixels; twice what the shipped starter works at
_BATCH = 20  # pictures in one transaction


def run_sample(context: JobContext) -> Outcome:
    """Draw the pictures of the job's sample dataset that are not there yet; `job.total` says how many."""
    upload = Upload.objects.select_related("dataset").filter(job_id=context.job_id).first()
    if upload is None:
        raise JobError(dataset_gone())
    dataset: Dataset = upload.dataset
    total = context.job.total
    there = set(dataset.images.values_list("name", flat=True))
    missing = [index for index in range(total) if _name(dataset, index) not in there]
    alikes = Alikes()
    for start in range(0, len(missing), _BATCH):
        if context.report(step=total - len(missing) + start, total=total) is Control.STOP:
            return Outcome(state="stopped")
        _add(context, dataset, missing[start : start + _BATCH], alikes)
    context.report(step=total, total=total)
    return Outcome()


def _add(context: JobContext, dataset: Dataset, indices: list[int], alikes: Alikes) -> None:
    images = [_drawn(dataset, index) for index in indices]
    # Two indices may give the same picture; it is then one.
    distinct = {image.sha256: image for image in images}
    kept: set[str] = set()
    try:
        with context.fenced():
            locked = lock_dataset(dataset.pk)
            known = locked.images.filter(sha256__in=distinct).values_list("sha256", flat=True)
            new = [distinct[sha256] for sha256 in distinct.keys() - set(known)]
            put_in(locked, new, alikes)
        kept = {key for image in new for key in (image.file, image.thumbnail)}
    finally:
        stored = {key for image in images for key in (image.file, image.thumbnail)}
        files.remove_files(stored - kept)


def _drawn(dataset: Dataset, index: int) -> DatasetImage:
    picture = draw(dataset.sample_family, index, SIDE)
    content = _png(picture)
    drawn = CheckedPicture(
        sha256=pixel_sha256(picture),
        width=picture.width,
        height=picture.height,
        content=content,
        extension="png",
        look=look_of(picture),
    )
    arrived = hashlib.sha256(content).hexdigest()
    return store_image(dataset.pk, _name(dataset, index), arrived, drawn)


def _name(dataset: Dataset, index: int) -> str:
    return f"{dataset.sample_family}-{index:05d}.png"


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
