"""Making pictures from prompts, in a generate worker. Imports torch: nothing in a web process may import it.

The handler is a generator that asks `stages.make_together` for pictures, so that orders of several people on
one base are made at once (see `jobs.attempts`); each has its own attempt, fence, receipt and end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from django.conf import settings
from django.core.files.storage import default_storage
from django.utils.translation import gettext as _
from PIL import Image

from catalog.exceptions import BrokenModelError
from catalog.files import materialise
from catalog.models import ModelVersion
from engines.diffusion.generate import Sample
from engines.diffusion.manifests import LORA_FILE
from engines.images import UInt8Array
from generation.checking import refused_places
from generation.keeping import store_picture
from generation.models import Generation, Picture
from generation.provenance import TextRecorder
from generation.screens import Screen
from generation.services import priced_units
from generation.stages import AT_ONCE, Made, Wanted
from jobs.attempts import Steps
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError


def make_from_text(context: JobContext) -> Steps:
    """Make the pictures of one order, a few at a time; each is in the gallery as soon as it is made.

    An attempt goes on behind the pictures that an earlier one finished. Stopping keeps what is made.
    """
    work = _Work(context)
    try:
        return (yield from work.pictures())
    finally:
        work.screen.clear()


@dataclass(frozen=True, kw_only=True)
class _Models:
    """The files of the models that an order names, laid out on this machine."""

    base: ModelVersion
    base_folder: Path
    adapter: ModelVersion | None
    adapter_file: Path | None

    @classmethod
    def of(cls, order: Generation) -> "_Models":
        """Raises JobError where one is gone or broken."""
        base, adapter = order.model_version, order.adapter
        if base is None:
            raise JobError(_("The base model was deleted before the images were made. Choose another base."))
        if adapter is None and order.adapter_title:
            raise JobError(
                _("The trained model “%(title)s” was deleted before the images were made. Choose another.")
                % {"title": order.adapter_title}
            )
        try:
            return cls(
                base=base,
                base_folder=materialise(base),
                adapter=adapter,
                adapter_file=None if adapter is None else materialise(adapter) / LORA_FILE,
            )
        except BrokenModelError as error:
            raise JobError(str(error.message)) from error


class _Work:
    """One attempt at one order."""

    def __init__(self, context: JobContext) -> None:
        self.context = context
        self.order = _order(context)
        self.screen = Screen(context, total=self.order.count, has_previews=not settings.CHECKER_DIR)
        self.models = _Models.of(self.order)
        self.recorder = TextRecorder(self.order, base=self.models.base, adapter=self.models.adapter)
        self.told = self.order.settings
        self.source = _pixels(self.order.source_file, "RGB")
        self.mask = _pixels(self.order.mask_file, "L")
        # By index. Who holds the fence makes all that are still to come, and before the first there are none.
        self.stored: set[int] = set()
        if context.attempt > 1:
            self.stored.update(self.order.pictures.values_list("index", flat=True))

    def pictures(self) -> Steps:
        """Make one picture for each seed that has none yet."""
        while missing := self._missing():
            if not self.screen.begin(self.order.count - len(missing)):
                return Outcome(state="stopped")
            batch = missing[:AT_ONCE]
            samples = [self._sample(seed, self.source, self.mask) for _index, seed in batch]
            made: Made | None = yield self._wanted(samples, self.told["width"], self.told["height"])
            if made is not None:
                self._keep(batch, made)
        return Outcome()

    def _missing(self) -> list[tuple[int, int]]:
        """Index and seed of each picture that is neither made nor refused."""
        done = {*self.stored, *self.order.refused}
        return [(index, seed) for index, seed in enumerate(self.order.seeds) if index not in done]

    def _sample(self, seed: int, image: UInt8Array | None, mask: UInt8Array | None) -> Sample:
        return Sample(
            prompt=self.told["told"],
            negative_prompt=self.told["told_negative"],
            seed=seed,
            guidance=self.told["guidance"],
            lora_scale=self.told["adapter_strength"],
            image=image,
            mask=mask,
            strength=self.told["strength"],
        )

    def _wanted(self, samples: Sequence[Sample], width: int, height: int) -> Wanted:
        return Wanted(
            base_key=self.models.base.sha256,
            base_folder=self.models.base_folder,
            adapter_file=self.models.adapter_file,
            samples=samples,
            width=width,
            height=height,
            steps=self.told["steps"],
            screen=self.screen,
            threads=self.context.threads,
            device=self.context.device,
        )

    def _keep(self, batch: Sequence[tuple[int, int]], made: Made) -> None:
        """Store the pictures, then have them in the gallery and on the receipt, all at once.

        What the content checker refuses is stored nowhere, and not charged.
        """
        refused = refused_places(made.pictures, device=self.context.device)
        rows = [
            self._store(index, seed, pixels, made)
            for place, ((index, seed), pixels) in enumerate(zip(batch, made.pictures, strict=True))
            if place not in refused
        ]
        with self.context.fenced():
            Picture.objects.bulk_create(rows)
            if refused:
                self.told["refused"] = [*self.order.refused, *(batch[place][0] for place in sorted(refused))]
                Generation.objects.filter(pk=self.order.pk).update(settings=self.told)
            self.context.deliver(priced_units(len(self.stored) + len(rows)))
        self.stored |= {row.index for row in rows}
        self.screen.kept(self.order.count - len(self._missing()), made.seconds)

    def _store(self, index: int, seed: int, pixels: UInt8Array, made: Made) -> Picture:
        """Write one picture's file and return its row, not inserted yet."""
        height, width = pixels.shape[:2]
        record = self.recorder.record(
            seed=seed,
            width=width,
            height=height,
            steps=made.steps,
            guidance=made.guidance,
            sampler=made.sampler,
        )
        return store_picture(self.context, self.order, record, index=index, seed=seed, pixels=pixels)


def _order(context: JobContext) -> Generation:
    """Return the order with its models, in two queries: one with all tables takes longer to plan."""
    order: Generation = Generation.objects.select_related("owner").get(job_id=context.job_id)
    keys = [key for key in (order.model_version_id, order.adapter_id) if key is not None]
    versions = ModelVersion.objects.select_related("model__owner").in_bulk(keys)
    if order.model_version_id is not None:
        order.model_version = versions.get(order.model_version_id)
    if order.adapter_id is not None:
        order.adapter = versions.get(order.adapter_id)
    return order


def _pixels(key: str, mode: str) -> UInt8Array | None:
    """Return the stored picture `[H, W, 3]` or mask `[H, W]`, None where the order has none."""
    if not key:
        return None
    try:
        with default_storage.open(key) as stored, Image.open(stored) as image:
            return np.asarray(image.convert(mode))
    except FileNotFoundError as error:
        raise JobError(_("The picture that this was to start from is gone. Choose it again.")) from error
