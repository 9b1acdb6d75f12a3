"""Making a picture larger, in a generate worker: a network of the catalog doubles it once or more.

Like every ONNX model it runs in a process of its own, with limits (`engines.onnx.run`).
"""

import math
import shutil
from pathlib import Path

import numpy as np
from django.core.files.storage import default_storage
from django.utils.translation import gettext as _
from PIL import Image

from catalog.exceptions import BrokenModelError
from catalog.files import materialise
from catalog.kinds import outputs_of
from catalog.models import ModelVersion, RunTiming
from catalog.runs import file_input
from engines.errors import EngineError
from engines.images import UInt8Array
from engines.onnx.run import OnnxModel
from engines.progress import Control
from generation.checking import refused_places
from generation.keeping import store_picture
from generation.models import Generation, Picture
from generation.provenance import record_of_larger
from generation.services import priced_units
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError


def make_larger(context: JobContext) -> Outcome:
    """Make the picture of one order larger; it is in the gallery once it is done.

    Raises JobError, and nothing is charged, where picture or model is gone or the model cannot do it.
    """
    version_parts = [f"model_version__{part}" for part in ("model__owner", "licence", "source")]
    orders = Generation.objects.select_related("owner", "source_picture", *version_parts)
    order: Generation = orders.get(job_id=context.job_id)
    if order.refused or order.pictures.exists():  # an earlier attempt was cut off after that
        return Outcome()
    version = order.model_version
    if version is None:
        raise JobError(_("The model was deleted before the image was made. Try it again."))
    picture, seconds = _first(order, context.workdir), 0.0
    wanted = order.settings["width"], order.settings["height"]
    passes = int(math.log2(order.settings["factor"]))
    with OnnxModel(_folder(version), threads=context.threads) as model:
        for number in range(passes):
            share = {"share": number / passes, "under_way": 1}
            if context.report(step=0, total=order.count, values=share) is Control.STOP:
                return Outcome(state="stopped")
            picture, took = _doubled(model, version, picture, context.workdir / str(number))
            seconds += took
    with Image.open(picture) as image:
        if image.size != wanted:
            raise JobError(
                _("“%(model)s” does not make pictures twice as large. Tell whoever runs the studio.")
                % {"model": order.model_title}
            )
        pixels = np.asarray(image.convert("RGB"))
    _keep(context, order, version, pixels, seconds / passes)
    context.report(step=order.count, total=order.count, values={"model_seconds": seconds})
    return Outcome()


def _first(order: Generation, folder: Path) -> Path:
    """Lay out the picture to begin with. Raises JobError where it is gone."""
    path = folder / "given.png"
    try:
        with default_storage.open(order.source_file) as stored, path.open("wb") as file:
            shutil.copyfileobj(stored, file)
    except FileNotFoundError as error:
        raise JobError(_("The file of this image is gone. Choose another image.")) from error
    return path


def _folder(version: ModelVersion) -> Path:
    try:
        return materialise(version)
    except BrokenModelError as error:
        raise JobError(str(error.message)) from error


def _doubled(model: OnnxModel, version: ModelVersion, picture: Path, out: Path) -> tuple[Path, float]:
    """Return the larger picture's file, and the seconds that the network took. Raises JobError."""
    taken = file_input(version)
    given = next(port for port in outputs_of(version) if port.kind == "image")
    assert taken is not None  # `upscaling.plan_upscale` has looked
    out.mkdir()
    try:
        result = model.run({taken.name: picture}, out=out)
    except EngineError as error:
        raise JobError(str(error)) from error
    return Path(result.outputs[given.name]["file"]), result.seconds


def _keep(
    context: JobContext, order: Generation, version: ModelVersion, pixels: UInt8Array, seconds: float
) -> None:
    """Have the picture in the gallery and on the receipt; one that the content checker refuses is in neither.

    `seconds`: of the network, each time; the model's page tells them.
    """
    is_refused = bool(refused_places([pixels], device=context.device))
    rows: list[Picture] = []
    if not is_refused:
        height, width = pixels.shape[:2]
        record = record_of_larger(order, version, width=width, height=height)
        [seed] = order.seeds
        rows.append(store_picture(context, order, record, index=0, seed=seed, pixels=pixels))
    with context.fenced():
        Picture.objects.bulk_create(rows)
        if is_refused:
            Generation.objects.filter(pk=order.pk).update(settings={**order.settings, "refused": [0]})
        RunTiming.objects.create(version=version, device="cpu", seconds=seconds)
        context.deliver(priced_units(len(rows)))
