"""Loaded bases with the trained models inside them, and what batches of orders want of them; with torch."""

import itertools
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from django.conf import settings
from django.utils.translation import gettext as _
from torch import nn

from engines.diffusion.base import Base
from engines.diffusion.generate import Preview, Sample, generate
from engines.diffusion.shelf import LoraShelf
from engines.errors import EngineError, ModelError
from engines.images import UInt8Array
from generation.screens import Screen
from jobs import warm
from jobs.exceptions import JobError

logger = logging.getLogger(__name__)

# Pictures that go through a base at once: few enough that they show soon, enough to use the processor well.
AT_ONCE = 4
# So many looks at each picture while it is made; with each of them an order may be stopped.
_LOOKS = 8


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Pictures that an order wants now, all of one size.

    Attributes:
        base_key: SHA-256 of the base's version, under which it stays loaded.
        base_folder, adapter_file: where they lie on this machine.
        samples: what to make, still without the LoRA's name.
    """

    base_key: str
    base_folder: Path
    adapter_file: Path | None
    samples: Sequence[Sample]
    width: int
    height: int
    steps: int | None
    screen: Screen
    threads: int
    device: str


@dataclass(frozen=True, kw_only=True)
class Made:
    """Pictures uint8 `[H, W, 3]` in the order of the samples, how they were made, and how long that took."""

    pictures: Sequence[UInt8Array]
    seconds: float
    steps: int
    guidance: float
    sampler: str


class _InterruptedError(Exception):
    """An order of the batch is to stop: all of them are told at once, and those that go on ask again."""


@dataclass
class Stage:
    """A base that is loaded, with the trained models that were used last."""

    base: Base
    shelf: LoraShelf

    @classmethod
    def load(cls, folder: Path, device: str) -> "Stage":
        """Load a base; in half precision where that is what the device is made for. Raises ModelError."""
        dtype = torch.bfloat16 if device == "cuda" else torch.float32
        base = Base.open(folder, device=device, dtype=dtype)
        return cls(base, LoraShelf(base, capacity_bytes=settings.GENERATION_LORA_BYTES))

    @property
    def nbytes(self) -> int:
        """What it takes in memory, the shelf's full size included."""
        parts = [part for part in self.base.pipeline.components.values() if isinstance(part, nn.Module)]
        weights = sum(tensor.nbytes for part in parts for tensor in part.parameters())
        return weights + self.shelf.capacity_bytes


def make_together(wanted: Sequence[Wanted]) -> list[Made | None]:
    """Make what several orders want of one base, each with its own trained model or none.

    Pictures of one size and number of steps go through the base together, whoever ordered them, and equal
    those made alone to within `engines.diffusion.generate.TOLERANCE`. None: nothing was made, because an
    order of the batch was stopped or lost meanwhile; whoever is to go on asks again. Raises JobError.
    """
    torch.set_num_threads(wanted[0].threads)
    made: list[Made | None] = [None] * len(wanted)
    stage = warm.get(wanted[0].base_key, lambda: _load(wanted[0]), lambda loaded: loaded.nbytes)
    samples = _with_loras(stage, wanted)
    try:
        for members in _alike(wanted):
            for member, result in zip(members, _make(stage, wanted, samples, members), strict=True):
                made[member] = result
    except _InterruptedError:
        pass
    except EngineError as error:
        raise JobError(str(error)) from error
    return made


def _load(wanted: Wanted) -> Stage:
    try:
        return Stage.load(wanted.base_folder, wanted.device)
    except ModelError as error:
        logger.exception("A base cannot be loaded")
        raise JobError(
            _("The base model cannot be loaded. Choose another one, and tell whoever runs the studio.")
        ) from error


def _with_loras(stage: Stage, wanted: Sequence[Wanted]) -> list[list[Sample]]:
    """Return each order's samples with the names of their LoRAs, which are inside the base by then."""
    files = [one.adapter_file for one in wanted if one.adapter_file is not None]
    try:
        names = dict(zip(files, stage.shelf.names(files), strict=True))
    except ModelError as error:
        logger.exception("A trained model cannot be used")
        raise JobError(
            _("The trained model does not fit its base. Choose another one, or train it again.")
        ) from error
    return [
        [
            replace(sample, lora=names[one.adapter_file] if one.adapter_file else None)
            for sample in one.samples
        ]
        for one in wanted
    ]


def _alike(wanted: Sequence[Wanted]) -> Iterator[list[int]]:
    """Yield the numbers of the orders whose pictures have one size and as many steps."""

    def shape(number: int) -> tuple[int, int, int]:
        one = wanted[number]
        return one.width, one.height, one.steps or 0

    for _shape, members in itertools.groupby(sorted(range(len(wanted)), key=shape), key=shape):
        yield list(members)


def _make(
    stage: Stage, wanted: Sequence[Wanted], samples: Sequence[Sequence[Sample]], members: Sequence[int]
) -> Iterator[Made]:
    """Yield what each of these orders gets. Raises _InterruptedError."""
    family, first = stage.base.family, wanted[members[0]]
    steps = first.steps or family.default_steps
    places = [(member, place) for member in members for place in range(len(samples[member]))]

    def watch(preview: Preview) -> None:
        shown: dict[int, dict[int, UInt8Array]] = {member: {} for member in range(len(wanted))}
        for index, pixels in zip(preview.indices, preview.pictures, strict=True):
            member, place = places[index]
            shown[member][place] = pixels
        goes_on = [
            one.screen.show(preview.step, preview.total, len(one.samples), shown[number])
            for number, one in enumerate(wanted)
        ]
        if not all(goes_on):
            raise _InterruptedError

    began = time.perf_counter()
    pictures = generate(
        stage.base,
        [samples[member][place] for member, place in places],
        width=first.width,
        height=first.height,
        steps=steps,
        batch=AT_ONCE,
        watcher=watch,
        preview_every=max(1, steps // _LOOKS),
    )
    seconds = time.perf_counter() - began
    rest = iter(pictures)
    for member in members:
        told = samples[member][0].guidance
        yield Made(
            pictures=list(itertools.islice(rest, len(samples[member]))),
            seconds=seconds,
            steps=steps,
            guidance=family.default_guidance if told is None else told,
            sampler="Euler" if family.objective == "flow" else "DPM++ 2M",
        )
