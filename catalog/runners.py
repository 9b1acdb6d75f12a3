"""What runs one step of a run, by the family of its model. Imports torch: web processes never import this.

Apps above run families of their own: they name a class like those here with
`catalog.registry.register_run_family`.
"""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from django.utils.module_loading import import_string
from PIL import Image

from catalog.kinds import inputs_of
from catalog.models import ModelVersion
from catalog.registry import run_family
from engines.onnx.manifest import ONNX
from engines.onnx.ports import check_value
from engines.onnx.run import OnnxModel, Result
from engines.stylegan.generate import Generator
from jobs import warm
from jobs.context import JobContext


class StoppedInsideError(Exception):
    """A run is to stop while one of its items is being made; that item is not delivered."""


class Runner(Protocol):
    """Runs a version, as often as there are items."""

    def run(self, values: Mapping[str, Any], *, out: Path) -> Result:
        """Run it once; pictures go into the folder `out`. Raises EngineError and StoppedInsideError."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a runner is made of.

    Attributes:
        version: what is run.
        folder: where its files lie on this machine.
        context: the attempt at the job, which knows device and threads, and when to stop.
        stack: closes with the run.
    """

    version: ModelVersion
    folder: Path
    context: JobContext
    stack: ExitStack


def runner_of(step: Step) -> Runner:
    """Return what runs a step. Raises EngineError and JobError."""
    family = str(step.version.manifest.get("family"))
    if family == ONNX:
        return OnnxRunner(step)
    known = run_family(family)
    if known is None:
        return GeneratorRunner(step)
    runner: Runner = import_string(known.runner)(step)
    return runner


class OnnxRunner:
    """Runs an ONNX model in its process, which lives as long as the run."""

    def __init__(self, step: Step) -> None:
        self._model = step.stack.enter_context(OnnxModel(step.folder, threads=step.context.threads))
        self._names = {port.name for port in inputs_of(step.version)}

    def run(self, values: Mapping[str, Any], *, out: Path) -> Result:
        """Run it once. Raises ModelError."""
        known = {name: value for name, value in values.items() if name in self._names}
        return self._model.run(known, out=out)


class GeneratorRunner:
    """Runs a StyleGAN generator, which stays loaded for the jobs that come after."""

    def __init__(self, step: Step) -> None:
        self._ports = inputs_of(step.version)
        self._generator = warm.get(
            step.version.sha256, lambda: Generator.load(step.folder), lambda loaded: loaded.nbytes
        )

    def run(self, values: Mapping[str, Any], *, out: Path) -> Result:
        """Make one picture of `seed` at `truncation_psi`. Raises ModelError."""
        seed, psi = (check_value(port, values.get(port.name)) for port in self._ports)
        began = time.perf_counter()
        pixels = self._generator.images([seed], truncation_psi=psi)[0]
        return picture_result(Image.fromarray(pixels), out, seconds=time.perf_counter() - began)


def picture_result(image: Image.Image, out: Path, *, seconds: float) -> Result:
    """Write the one picture that a family gives; return it as a result."""
    path = out / "picture.png"
    image.save(path)
    width, height = image.size
    return Result(outputs={"picture": {"file": str(path), "width": width, "height": height}}, seconds=seconds)
