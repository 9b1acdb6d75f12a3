"""Searching for the point that shows a photograph. Imports torch, so nothing in a web process may import it.

The search is done in short legs. After each its state, its picture and how near it came are stored behind the
fence of the attempt, so a killed worker loses one leg at most, and the next attempt goes on to the same bits.
"""

import io
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext as _
from PIL import Image

from catalog.exceptions import BrokenModelError
from catalog.files import materialise
from engines.errors import EngineError
from engines.images import UInt8Array
from engines.progress import Control, Progress, Snapshot, StepClock
from engines.stylegan.generate import Generator
from engines.stylegan.latent import LatentSpace
from engines.stylegan.points import Seed
from engines.stylegan.project import FLOOR_SEED, Projector
from engines.stylegan.project import Outcome as Ended
from engines.stylegan.project import Projection as Found
from generation.explore.look_jobs import Between
from generation.explore.projections import config_of, known_floor
from generation.models import Projection, SavedPoint
from jobs import warm
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError
from jobs.files import attempt_prefix, delete_folder, fetch_folder, store_folder

# Steps of a leg.
LEG = 25


def project_picture(context: JobContext) -> Outcome:
    """Search for the job's projection, from its newest stored state on; then measure the floor of its model.

    Steps are delivered leg by leg. What was found is pinned when the job ends, also where it is stopped.
    """
    projection = Projection.objects.select_related("version").filter(job_id=context.job_id).first()
    if projection is None:
        raise JobError(_("The projection was deleted while it was waiting. Nothing else was touched."))
    if projection.version is None:
        raise JobError(_("The model was deleted before the search was done. Choose another model."))
    torch.set_num_threads(context.threads)
    try:
        return _Work(context, projection).run()
    except BrokenModelError as error:
        raise JobError(str(error.message)) from error
    except EngineError as error:
        raise JobError(str(error)) from error
    except FileNotFoundError as error:
        raise JobError(_("The picture to look for is gone. Choose it again.")) from error


class _Work:
    """One attempt at a projection."""

    def __init__(self, context: JobContext, projection: Projection) -> None:
        self._context, self._projection = context, projection
        self._config = config_of(projection)
        version = projection.version
        assert version is not None
        self._version = version
        folder = materialise(version)
        self._generator = warm.get(
            version.sha256, lambda: Generator.load(folder), lambda loaded: loaded.nbytes
        )
        self._floor = known_floor(version, projection.settings)
        # The first step comes late: features are made, and many beginnings are tried.
        message = _("Going on from there") if projection.state_file else _("Choosing where to begin")
        context.report(step=projection.last_step, total=self._total, message=message)
        self._projector = Projector(self._generator, folder)
        self._state_bytes = 0  # of what is stored of the search, to go on from

    def run(self) -> Outcome:
        """Search, then measure the floor unless it is known. Raises EngineError, LeaseLost."""
        state = self._context.workdir / "state"
        if self._projection.state_file:
            fetch_folder(self._projection.state_file, state)
            self._state_bytes = _bytes_in(state)
        found, is_stopped = self._search(_target(self._projection), state)
        if is_stopped and found.outcome is Ended.STOPPED:
            return Outcome(state="stopped", apply=partial(self._pin, found))
        if not is_stopped and self._floor is None:
            self._floor = self._measure_floor()
        return Outcome(apply=partial(self._pin, found))

    def _search(self, target: UInt8Array, state: Path) -> tuple[Found, bool]:
        """Search leg by leg, storing each. Return what was found, and whether it was to stop."""
        while True:
            host = _Leg(self._context, _("Searching"), total=self._total)
            found = self._projector.project(target, self._config, host, state=state)
            if host.steps or not self._projection.steps:
                self._keep(found, state)
            if found.outcome is Ended.FINISHED or host.is_stopped:
                return found, host.is_stopped

    def _measure_floor(self) -> dict[str, float] | None:
        """How near the same search comes to a picture that the model can make exactly; None where stopped."""
        own = LatentSpace(self._generator).images([Seed(seed=FLOOR_SEED)])[0]
        message = _("Measuring how near it could come")
        host = _Leg(self._context, message, total=self._total, before=self._config.steps, legs_end=False)
        found = self._projector.project(own, self._config, host)
        return None if found.outcome is Ended.STOPPED else asdict(found.reached)

    @property
    def _total(self) -> int:
        """Steps of the search, and as many again where the floor is to be measured."""
        return self._config.steps * (1 if self._floor else 2)

    def _keep(self, found: Found, state: Path) -> None:
        """Store where the search stands, in place of where it stood, with the picture of this step."""
        prefix = attempt_prefix(self._context.job)
        pixels = _webp(found.picture)
        picture = default_storage.save(f"{prefix}step-{found.step:04d}.webp", ContentFile(pixels))
        folder = f"{prefix}state-{found.step:04d}"
        store_folder(state, folder)
        before, state_bytes = self._projection.state_file, _bytes_in(state)
        self._projection.size_bytes += len(pixels) + state_bytes - self._state_bytes
        self._state_bytes = state_bytes
        step = {"step": found.step, "file": picture, "distance": round(found.reached.distance, 4)}
        self._projection.steps.append(step)
        self._projection.picture, self._projection.state_file = picture, folder
        self._projection.figures = self._figures(found)
        with self._context.fenced():
            self._projection.save(update_fields=["picture", "state_file", "steps", "figures", "size_bytes"])
            self._context.deliver(found.step)
            self._context.touch()
            if before and before != folder:
                transaction.on_commit(partial(delete_folder, before))

    def _figures(self, found: Found) -> dict[str, Any]:
        figures = {name: asdict(getattr(found, name)) for name in ("unrelated", "best_random", "reached")}
        return figures | ({"floor": self._floor} if self._floor else {})

    def _pin(self, found: Found) -> None:
        """Pin what was found, or put it in the place of what an earlier stop had pinned."""
        row = Projection.objects.select_for_update().filter(pk=self._projection.pk).first()
        if row is None or row.version_id is None:
            return
        values = {"point": found.point.as_json(), "title": row.title}
        if row.found_id is None:
            row.found = SavedPoint.objects.create(owner_id=row.owner_id, version_id=row.version_id, **values)
        else:
            SavedPoint.objects.filter(pk=row.found_id).update(point=values["point"])
        row.figures = self._figures(found)
        row.save(update_fields=["found", "figures"])


class _Leg:
    """Reports the steps of a search and ends it after some of them, or when it is told to stop."""

    def __init__(
        self, context: JobContext, message: str, *, total: int, before: int = 0, legs_end: bool = True
    ) -> None:
        """Steps count from `before` on; with `legs_end` the search ends after LEG of them, to go on later."""
        self.steps, self.is_stopped = 0, False
        self._context, self._message, self._total = context, message, total
        self._before, self._legs_end = before, legs_end
        self._looks = Between()
        self._clock, self._last = StepClock(), time.monotonic()

    def progress(self, progress: Progress) -> Control:
        """Pass a step on and say how to go on. Raises LeaseLost."""
        now = time.monotonic()
        self._clock.note(now - self._last)
        self._last = now
        self.steps += 1
        step = self._before + progress.step
        told = self._clock.progress(step=step, total=self._total, batch=1, losses=progress.losses)
        control = self._context.report(
            step=step,
            total=self._total,
            message=self._message,
            eta_seconds=told.eta_seconds,
            values=progress.losses,
        )
        self.is_stopped = control is Control.STOP
        self._looks.serve()
        ends = self._legs_end and progress.step % LEG == 0
        return Control.STOP if self.is_stopped or ends else Control.CONTINUE

    def snapshot(self, snapshot: Snapshot) -> None:
        """A projection writes none."""


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _target(projection: Projection) -> UInt8Array:
    with default_storage.open(projection.target) as stored, Image.open(stored) as image:
        return np.asarray(image.convert("RGB"))


def _webp(pixels: UInt8Array) -> bytes:
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, format="WEBP", quality=92, method=2)
    return encoded.getvalue()
