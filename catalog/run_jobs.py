"""Running models, in a generate worker. Imports torch, so nothing in a web process may import it.

What people bring in ONNX never runs in the worker itself: `engines.onnx.run` gives it a process with limits.
"""

import io
import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _
from PIL import Image

from catalog.exceptions import BrokenModelError
from catalog.files import materialise
from catalog.kinds import SEED, inputs_of, link, outputs_of
from catalog.models import ModelRun, ModelVersion, RunItem, RunResult, RunStep, RunTiming
from catalog.pictures import PictureLimits, PictureRefused, read_picture
from catalog.run_provenance import Done, record_of
from catalog.runners import Runner, Step, StoppedInsideError, runner_of
from catalog.runs import file_input
from catalog.signing import write_signed
from engines.errors import EngineError
from engines.onnx.run import Result
from engines.progress import Control
from engines.provenance import Provenance
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError
from jobs.files import attempt_prefix

logger = logging.getLogger(__name__)

MAX_SIDE = 2048  # what is longer is made smaller before it goes into a model
_LIMITS = PictureLimits(min_side=8)


class ItemFailedError(Exception):
    """An item has no result; the text tells its owner why."""


@dataclass(frozen=True, kw_only=True)
class _Given:
    """The picture of an item, written anew, and what its file said of its making."""

    path: Path
    record: Provenance | None


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
            try:
                if not work.is_done(item):
                    work.do(item)
            except StoppedInsideError:
                return Outcome(state="stopped")
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
        self._runners: dict[int, Runner] = {}
        self._stored_bytes = 0  # of the item that is being kept
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
            given = self._given(item, folder)
            done = self._through_steps(item, given, folder)
        except ItemFailedError as error:
            with self._context.fenced():
                RunItem.objects.filter(pk=item.pk).update(error=str(error)[:500], file="")
                self._forget(item.file)
                self._context.touch()
            return
        rows = [row for place in range(len(done)) for row in self._rows(item, given, done[: place + 1])]
        self._keep(item, given, rows, done)

    def _through_steps(self, item: RunItem, given: "_Given | None", folder: Path) -> list[Done]:
        values = self._first_values(item, given)
        done: list[Done] = []
        for place, step in enumerate(self._steps):
            values = {**step.settings, **values}
            out = folder / str(place)
            out.mkdir(exist_ok=True)
            try:
                result = self._runner(place).run(values, out=out)
            except EngineError as error:
                raise ItemFailedError(str(error)) from error
            done.append(Done(version=self._version(step), values=values, result=result))
            if place + 1 < len(self._steps):
                values = self._handed_on(place, result)
        return done

    def _first_values(self, item: RunItem, given: "_Given | None") -> dict[str, Any]:
        """What the item itself gives the first step: its picture; without one, its own seed."""
        first = self._steps[0]
        port = file_input(self._version(first))
        if given is not None and port is not None:
            return {port.name: str(given.path)}
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

    def _given(self, item: RunItem, folder: Path) -> "_Given | None":
        """Decode what somebody brought and write it anew: upright, RGB, bounded, nothing but pixels."""
        if not item.file:
            return None
        try:
            with default_storage.open(item.file) as stored:
                read = read_picture(stored, _LIMITS)
        except FileNotFoundError as error:
            raise ItemFailedError(_("The file is gone. Bring it again.")) from error
        except PictureRefused as error:
            raise ItemFailedError(str(error)) from error
        image = read.image
        image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
        image.info = {}
        path = folder / "given.png"
        image.save(path, compress_level=3)
        return _Given(path=path, record=read.record)

    def _version(self, step: RunStep) -> ModelVersion:
        if step.version is None:
            raise JobError(_("The model was deleted before this was run. Choose another model."))
        return step.version

    def _runner(self, place: int) -> Runner:
        if place not in self._runners:
            version = self._version(self._steps[place])
            try:
                folder = materialise(version)
            except BrokenModelError as error:
                raise JobError(str(error.message)) from error
            step = Step(version=version, folder=folder, context=self._context, stack=self._stack)
            self._runners[place] = runner_of(step)
        return self._runners[place]

    def _rows(self, item: RunItem, given: "_Given | None", done: Sequence[Done]) -> list[RunResult]:
        """Store the pictures that the last of these steps gave; return its rows, not inserted yet."""
        step, place, rows = done[-1], len(done) - 1, []
        for port in outputs_of(step.version):
            told = step.result.outputs[port.name]
            row = RunResult(
                item=item,
                step=self._steps[place],
                output=port.name,
                kind=port.kind,
                seconds=step.result.seconds,
                device=self._context.device,
            )
            if port.kind == "image":
                record = record_of(
                    self._run, done, given.record if given else None, is_changed=given is not None
                )
                row.file = self._store(f"{item.position:03d}-{place}-{port.name}", told, record)
                row.width, row.height = told["width"], told["height"]
            else:
                row.value = told
            rows.append(row)
        return rows

    def _store(self, name: str, told: Mapping[str, Any], record: Provenance) -> str:
        encoded = io.BytesIO()
        with Image.open(told["file"]) as image:
            write_signed(image, encoded, record)
        return self._save(name, encoded.getvalue())

    def _save(self, name: str, content: bytes) -> str:
        """Store a picture of this attempt; what is kept of a run counts towards its owner's storage."""
        self._stored_bytes += len(content)
        return default_storage.save(f"{attempt_prefix(self._context.job)}{name}.png", ContentFile(content))

    def _keep(
        self, item: RunItem, given: "_Given | None", rows: Sequence[RunResult], done: Sequence[Done]
    ) -> None:
        """Insert an item's results, charge it, and put the clean picture in place of what was brought."""
        clean = self._save(f"{item.position:03d}-given", given.path.read_bytes()) if given else ""
        with self._context.fenced():
            RunResult.objects.bulk_create(rows)
            RunItem.objects.filter(pk=item.pk).update(file=clean)
            ModelRun.objects.filter(pk=self._run.pk).update(size_bytes=F("size_bytes") + self._stored_bytes)
            self._stored_bytes = 0
            RunTiming.objects.bulk_create(
                RunTiming(version=one.version, device=self._context.device, seconds=one.result.seconds)
                for one in done
            )
            self._done.add(item.pk)
            self._context.deliver(len(self._done))
            self._context.touch()
            self._forget(item.file)

    def _forget(self, brought: str) -> None:
        """Remove what somebody brought, which nobody is ever shown, once the transaction is committed."""
        if brought:
            transaction.on_commit(lambda: default_storage.delete(brought))
