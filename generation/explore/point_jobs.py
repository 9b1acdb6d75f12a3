"""Making the picture of a point for the gallery. Imports torch: nothing in a web process may import it."""

import json
from dataclasses import replace

import torch
from django.utils.translation import gettext as _

from catalog.exceptions import BrokenModelError
from catalog.files import materialise
from engines.errors import EngineError
from engines.stylegan.generate import Generator
from engines.stylegan.latent import LatentSpace
from engines.stylegan.points import parse_point
from generation.keeping import store_picture
from generation.models import Generation
from generation.provenance import Recorder
from jobs import warm
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError


def make_picture(context: JobContext) -> Outcome:
    """Make the one picture of an order from a point, in full precision, with the point in its provenance."""
    order = Generation.objects.select_related(
        "owner", "model_version__model__owner", "model_version__licence", "model_version__source"
    ).get(job_id=context.job_id)
    version = order.model_version
    if version is None:
        raise JobError(_("The model was deleted before the image was made. Choose another model."))
    torch.set_num_threads(context.threads)
    try:
        folder = materialise(version)
        generator = warm.get(version.sha256, lambda: Generator.load(folder), lambda loaded: loaded.nbytes)
        pixels = LatentSpace(generator).images([parse_point(order.settings["point"])])[0]
    except BrokenModelError as error:
        raise JobError(str(error.message)) from error
    except EngineError as error:
        raise JobError(str(error)) from error
    height, width = pixels.shape[:2]
    seed = order.seeds[0]
    record = Recorder(order, version=version).record(seed=seed, width=width, height=height)
    settings = {"Point": json.dumps(order.settings["point"]), "Size": f"{width}x{height}"}
    picture = store_picture(
        context, order, replace(record, settings=settings), index=0, seed=seed, pixels=pixels
    )
    with context.fenced():
        picture.save(force_insert=True)
        context.deliver(1)
        context.touch()
    context.report(step=1, total=1)
    return Outcome()
