"""Running models, in a generate worker. Imports torch, so nothing in a web process may import it.

What people bring in ONNX never runs in the worker itself: `engines.onnx.run` gives it a process with limits.
"""

import io
import logging
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext as _
from PIL import Image

from catalog.exceptions import BrokenModelError
from catalog.files import materialise
from catalog.kinds import SEED, inputs_of, link, outputs_of
from catalog.models import ModelRun, ModelVersion, RunItem, RunResult, RunStep, RunTiming
from catalog.pictures import PictureLimits, PictureRefused, read_picture
from catalog.run_provenance import record_of
from catalog.runs import file_input
from catalog.signing import write_signed
from engines.errors import EngineError
from engines.onnx.manifest import ONNX
from engines.onnx.ports import check_value
from engines.onnx.run import OnnxModel, Result
from engines.progress import Control
from engines.stylegan.generate import Generator
from jobs import warm
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError
from jobs.files import attempt_prefix

logger = logging.getLogger(__name__)

MAX_SIDE = 2048  # what is longer is made smaller before it goes into a model
_LIMITS = PictureLimits(min_side=8)


class ItemFailedError(Exception):
    """An item has no result; the text tells its owner why."""


def run_models(context: JobContext) -> Outcome:
    """Send every item of a run through all its steps; each is kept, and paid for, as soon as it is done.

    An attempt goes on behind the items that an earlier one finished. An item that cannot be used has its
    reason and costs nothing, the others go on. Stopping keeps what is done.
    """
    run = ModelRun.objects.select_related("owner").get(job_id=context.job_id)
    torch.set_num_threads(context.threads)
    with ExitStack() as stack:
        work = _Work(context, run, stack)
        for item in run.items.all():
            if context.report(step=item.position, total=run.count) is Control.STOP:
                return Outcome(state="stopped")
            if not work.is_done(item):
                work.do(item)
        context.report(step=run.count, total=run.count)
    if not work.delivered:
        raise JobError(_nothing_came_out(run))
    return Outcome()


def _nothing_came_out(run: ModelRun) -> str:
    errors = list(run.items.exclude(error="").values_list("error", flat=True)[:2])
    if len(errors) == 1:
        return str(errors[0])
    return _("None of the files could be used. Each says why; mend them and run them again.")


class _Work:
    """A run that is being done: its steps, each with what runs it."""

    def __init__(self, context: JobContext, run: ModelRun, stack: ExitStack) -> None:
        self._context, self._run, self._stack = context, run, stack
        self._steps = list(
            run.steps.select_related("version__model__owner", "version__licence", "version__source")
        )
        self._runners: dict[int, _OnnxRunner | _GeneratorRunner] = {}
        last = self._steps[-1]
        self._done = set(RunResult.objects.filter(step=last).values_list("item_id", flat=True))

    @property
    def delivered(self) -> int:
        """How many items came out."""
        return len(self._done)

    def is_done(self, item: RunItem) -> bool:
        """Whether an item has its result, or the reason why it has none."""
        return item.pk in self._done or bool(item.error)

    def do(self, item: RunItem) -> None:
        """Send one item through the steps and keep what comes out, or why nothing does. Raises JobError."""
        folder = self._context.workdir / f"{item.position:03d}"
        folder.mkdir(exist_ok=True)
        try:
            picture, results = self._through_steps(item, folder)
        except ItemFailedError as error:
            with self._context.fenced():
                RunItem.objects.filter(pk=item.pk).update(error=str(error)[:500], file="")
                self._forget(item.file)
                self._context.touch()
            return
        rows = [self._row(item, step, result) for step, result in zip(self._steps, results, strict=True)]
        self._keep(item, picture, [row for some in rows for row in some], results)

    def _through_steps(self, item: RunItem, folder: Path) -> tuple[Path | None, list[Result]]:
        given = self._picture(item, folder)
        values = self._first_values(item, given)
        results: list[Result] = []
        for place, step in enumerate(self._steps):
            values = {**step.settings, **values}
            out = folder / str(place)
            out.mkdir(exist_ok=True)
            try:
                results.append(self._runner(place).run(values, out=out))
            except EngineError as error:
                raise ItemFailedError(str(error)) from error
            if place + 1 < len(self._steps):
                values = self._handed_on(place, results[-1])
        return given, results

    def _first_values(self, item: RunItem, given: Path | None) -> dict[str, Any]:
        """What the item itself gives the first step: its picture; without one, its own seed."""
        first = self._steps[0]
        port = file_input(self._version(first))
        if given is not None and port is not None:
            return {port.name: str(given)}
        seed = first.settings.get(SEED)
        return {SEED: seed + item.position} if isinstance(seed, int) else {}

    def _handed_on(self, place: int, result: Result) -> dict[str, Any]:
        """What the next step gets of a result."""
        before, after = (self._version(step) for step in self._steps[place : place + 2])
        joint = link(outputs_of(before), inputs_of(after))
        if joint is None:
            raise JobError(_("The steps of this chain no longer fit each other. Change the chain."))
        output, port = joint
        value = result.outputs[output.name]
        return {port.name: value["file"] if output.kind == "image" else value}

    def _picture(self, item: RunItem, folder: Path) -> Path | None:
        """Decode what somebody brought and write it anew: upright, RGB, bounded, nothing but pixels."""
        if not item.file:
            return None
        try:
            with default_storage.open(item.file) as stored:
                image = read_picture(stored, _LIMITS).image
        except FileNotFoundError as error:
            raise ItemFailedError(_("The file is gone. Bring it again.")) from error
        except PictureRefused as error:
            raise ItemFailedError(str(error)) from error
        image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
        image.info = {}
        path = folder / "given.png"
        image.save(path, compress_level=3)
        return path

    def _version(self, step: RunStep) -> ModelVersion:
        if step.version is None:
            raise JobError(_("The model was deleted before this was run. Choose another model."))
        return step.version

    def _runner(self, place: int) -> "_OnnxRunner | _GeneratorRunner":
        if place not in self._runners:
            version = self._version(self._steps[place])
            try:
                folder = materialise(version)
            except BrokenModelError as error:
                raise JobError(str(error.message)) from error
            is_onnx = version.manifest["family"] == ONNX
            made = _OnnxRunner if is_onnx else _GeneratorRunner
            self._runners[place] = made(version, folder, self._context.threads, self._stack)
        return self._runners[place]

    def _row(self, item: RunItem, step: RunStep, result: Result) -> list[RunResult]:
        """Store the pictures of one step's result; return its rows, not inserted yet."""
        version, rows = self._version(step), []
        for port in outputs_of(version):
            told = result.outputs[port.name]
            row = RunResult(
                item=item,
                step=step,
                output=port.name,
                kind=port.kind,
                seconds=result.seconds,
                device=self._context.device,
            )
            if port.kind == "image":
                row.file = self._store(item, step, version, port.name, told)
                row.width, row.height = told["width"], told["height"]
            else:
                row.value = told
            rows.append(row)
        return rows

    def _store(
        self, item: RunItem, step: RunStep, version: ModelVersion, name: str, told: Mapping[str, Any]
    ) -> str:
        record = record_of(self._run, self._steps[: step.position + 1], item, version)
        encoded = io.BytesIO()
        with Image.open(told["file"]) as image:
            write_signed(image, encoded, record)
        key = f"{attempt_prefix(self._context.job)}{item.position:03d}-{step.position}-{name}.png"
        return default_storage.save(key, ContentFile(encoded.getvalue()))

    def _keep(
        self, item: RunItem, picture: Path | None, rows: list[RunResult], results: list[Result]
    ) -> None:
        """Insert an item's results, charge it, and put the clean picture in place of what was brought."""
        clean = ""
        if picture is not None:
            key = f"{attempt_prefix(self._context.job)}{item.position:03d}-given.png"
            clean = default_storage.save(key, ContentFile(picture.read_bytes()))
        with self._context.fenced():
            RunResult.objects.bulk_create(rows)
            RunItem.objects.filter(pk=item.pk).update(file=clean)
            RunTiming.objects.bulk_create(
                RunTiming(version=step.version, device=self._context.device, seconds=result.seconds)
                for step, result in zip(self._steps, results, strict=True)
            )
            self._done.add(item.pk)
            self._context.deliver(len(self._done))
            self._context.touch()
            self._forget(item.file)

    def _forget(self, brought: str) -> None:
        """Remove what somebody brought, which nobody is ever shown, once the transaction is committed."""
        if brought:
            transaction.on_commit(lambda: default_storage.delete(brought))


class _OnnxRunner:
    """Runs an ONNX model in its process, which lives as long as the run."""

    def __init__(self, version: ModelVersion, folder: Path, threads: int, stack: ExitStack) -> None:
        self._model = stack.enter_context(OnnxModel(folder, threads=threads))
        self._names = {port.name for port in inputs_of(version)}

    def run(self, values: Mapping[str, Any], *, out: Path) -> Result:
        """Run it once. Raises ModelError."""
        known = {name: value for name, value in values.items() if name in self._names}
        return self._model.run(known, out=out)


class _GeneratorRunner:
    """Runs a StyleGAN generator, which stays loaded for the jobs that come after."""

    def __init__(self, version: ModelVersion, folder: Path, threads: int, stack: ExitStack) -> None:
        del threads, stack  # torch's threads are set for the job, and the generator stays
        self._ports = inputs_of(version)
        self._generator = warm.get(
            version.sha256, lambda: Generator.load(folder), lambda loaded: loaded.nbytes
        )

    def run(self, values: Mapping[str, Any], *, out: Path) -> Result:
        """Make one picture of `seed` at `truncation_psi`. Raises ModelError."""
        seed, psi = (check_value(port, values.get(port.name)) for port in self._ports)
        began = time.perf_counter()
        pixels = self._generator.images([seed], truncation_psi=psi)[0]
        seconds = time.perf_counter() - began
        path = out / "picture.png"
        Image.fromarray(pixels).save(path)
        height, width = pixels.shape[:2]
        return Result(
            outputs={"picture": {"file": str(path), "width": width, "height": height}}, seconds=seconds
        )
