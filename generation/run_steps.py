"""Text to Image as a model that is run, alone or as a step of a chain; in a generate worker, with torch."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from PIL import Image, ImageOps

from catalog.exceptions import BrokenModelError
from catalog.files import materialise
from catalog.kinds import NEGATIVE_PROMPT, PROMPT, SEED, STRENGTH, inputs_of
from catalog.models import ModelVersion
from catalog.runners import Step, StoppedInsideError, picture_result
from catalog.warm_bases import warm_base
from engines.diffusion.generate import Preview, Sample, generate
from engines.diffusion.manifests import LORA_FILE
from engines.errors import ModelError
from engines.images import UInt8Array
from engines.manifest import LORA
from engines.onnx.ports import check_value
from engines.onnx.run import Result
from engines.progress import Control
from generation.checking import refused_places
from generation.run_family import base_of, refused_words
from generation.sizes import SQUARE, nearest_ratio, size_of
from jobs.context import JobContext
from jobs.exceptions import JobError


class TextRunner:
    """Makes pictures of a prompt with a base, or with a trained model on its base; see `catalog.runners`."""

    def __init__(self, step: Step) -> None:
        self._ports = inputs_of(step.version)
        self._context: JobContext = step.context
        is_lora = step.version.model.family == LORA
        self._adapter_file = step.folder / LORA_FILE if is_lora else None
        base = base_of(step.context.job.owner, step.version)
        if base is None:
            raise JobError(_("The base of this trained model is gone. Choose another model."))
        assert base.resolution is not None  # every base has one
        self._side = base.resolution
        self._warm = warm_base(base.sha256, _folder_of(base, step), step.context.device)

    def run(self, values: Mapping[str, Any], *, out: Path) -> Result:
        """Make one picture: of its prompt alone, or from the picture that it is given.

        Raises EngineError, and StoppedInsideError where the run is to stop.
        """
        told = {port.name: check_value(port, values.get(port.name)) for port in self._ports}
        problem = refused_words(told[PROMPT])
        if problem:
            raise ModelError(problem)
        given = _opened(told["picture"])
        ratio = nearest_ratio(*given.size) if given else SQUARE
        width, height = size_of(self._side, ratio, self._side)
        began = time.perf_counter()
        sample = Sample(
            prompt=told[PROMPT],
            negative_prompt=told[NEGATIVE_PROMPT],
            seed=told[SEED],
            lora=self._warm.shelf.names([self._adapter_file])[0] if self._adapter_file else None,
            image=_cut(given, width, height),
            strength=told[STRENGTH],
        )
        [pixels] = generate(
            self._warm.base, [sample], width=width, height=height, watcher=self._watch, preview_every=1
        )
        seconds = time.perf_counter() - began
        if refused_places([pixels], device=self._context.device):
            raise ModelError(_("This studio does not show what came out. Write another prompt."))
        return picture_result(Image.fromarray(pixels), out, seconds=seconds)

    def _watch(self, preview: Preview) -> None:
        if self._context.control() is Control.STOP:
            raise StoppedInsideError


def _folder_of(base: ModelVersion, step: Step) -> Path:
    if base.pk == step.version.pk:
        return step.folder
    try:
        return materialise(base)
    except BrokenModelError as error:
        raise JobError(str(error.message)) from error


def _opened(path: str) -> Image.Image | None:
    if not path:
        return None
    with Image.open(path) as image:
        return image.convert("RGB")


def _cut(image: Image.Image | None, width: int, height: int) -> UInt8Array | None:
    """The picture at the size that is made; what does not fit is cut off evenly."""
    if image is None:
        return None
    return np.asarray(ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS))
