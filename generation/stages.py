"""Loaded bases with the trained models inside them, and what batches of orders want of them; with torch."""

import contextlib
import itertools
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from django.utils.translation import gettext as _

from catalog.warm_bases import WarmBase, warm_base
from engines.diffusion.generate import Preview, Sample, generate
from engines.errors import EngineError, ModelError
from engines.images import UInt8Array
from generation.screens import Screen
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


# Lets the order with that number go on: with its pictures, or with None where it was stopped or lost.
HandOver = Callable[[int, Made | None], None]


def make_together(wanted: Sequence[Wanted], hand_over: HandOver) -> list[Made | None]:
    """Make what several orders want of one base, each with its own trained model or none.

    Pictures of one size, number of steps and strength go through the base together, whoever ordered them, and
    equal those made alone to within `engines.diffusion.generate.TOLERANCE`. Each order is handed its pictures
    as soon as it has all of them; one that is stopped, or lost, is told at once, and the others lose nothing.
    Raises JobError.
    """
    torch.set_num_threads(wanted[0].threads)
    stage = _load(wanted[0])
    try:
        _Making(stage, wanted, hand_over).run()
    except EngineError as error:
        raise JobError(str(error)) from error
    return [None] * len(wanted)


def _load(wanted: Wanted) -> WarmBase:
    try:
        return warm_base(wanted.base_key, wanted.base_folder, wanted.device)
    except ModelError as error:
        logger.exception("A base cannot be loaded")
        raise JobError(
            _("The base model cannot be loaded. Choose another one, and tell whoever runs the studio.")
        ) from error


def _with_loras(stage: WarmBase, wanted: Sequence[Wanted]) -> list[list[Sample]]:
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


@dataclass(frozen=True, kw_only=True)
class _Place:
    """One picture: which order wants it, and from which of its samples."""

    order: int
    sample: Sample


class _NobodyLeftError(Exception):
    """All orders whose pictures are under way were stopped."""


class _Making:
    """Makes what several orders want, a few pictures at a time."""

    def __init__(self, stage: WarmBase, wanted: Sequence[Wanted], hand_over: HandOver) -> None:
        self._stage, self._wanted, self._hand_over = stage, wanted, hand_over
        self._gone: set[int] = set()
        self._made: list[list[UInt8Array]] = [[] for _one in wanted]
        self._seconds = [0.0] * len(wanted)

    def run(self) -> None:
        """Hand everybody over what they want. Raises EngineError and JobError."""
        samples = _with_loras(self._stage, self._wanted)
        places = [_Place(order=order, sample=sample) for order, some in enumerate(samples) for sample in some]
        for alike in self._alike(places):
            rest = alike
            while rest := [place for place in rest if place.order not in self._gone]:
                with contextlib.suppress(_NobodyLeftError):
                    self._make(rest[:AT_ONCE])
                rest = rest[AT_ONCE:]

    def _alike(self, places: Sequence[_Place]) -> Iterator[list[_Place]]:
        """Yield the pictures that can go through the base together: of one size, over the same steps."""

        def shape(place: _Place) -> tuple[int, int, int, float]:
            one, sample = self._wanted[place.order], place.sample
            return one.width, one.height, one.steps or 0, 1.0 if sample.image is None else sample.strength

        for _shape, some in itertools.groupby(sorted(places, key=shape), key=shape):
            yield list(some)

    def _make(self, places: Sequence[_Place]) -> None:
        """Make these pictures, and hand over to whoever has all of theirs. Raises _NobodyLeftError."""
        first = self._wanted[places[0].order]
        steps = first.steps or self._stage.base.family.default_steps
        began = time.perf_counter()
        pictures = generate(
            self._stage.base,
            [place.sample for place in places],
            width=first.width,
            height=first.height,
            steps=steps,
            batch=AT_ONCE,
            watcher=partial(self._watch, places),
            preview_every=max(1, steps // _LOOKS),
        )
        for place, pixels in zip(places, pictures, strict=True):
            self._made[place.order].append(pixels)
        seconds = time.perf_counter() - began
        for order in dict.fromkeys(place.order for place in places):
            self._seconds[order] += seconds
            if order not in self._gone and len(self._made[order]) == len(self._wanted[order].samples):
                self._hand_over(order, self._result(order, steps))

    def _watch(self, places: Sequence[_Place], preview: Preview) -> None:
        """Show how far the pictures are, and let go whoever is to stop. Raises _NobodyLeftError.

        They are decoded for whoever has not seen any for a while, and not where the last step is done.
        """
        shown: dict[int, dict[int, UInt8Array]] = {order: {} for order in range(len(self._wanted))}
        is_due = any(self._wanted[place.order].screen.is_due for place in places)
        pictures = preview.pictures() if is_due and preview.step < preview.total else []
        for index, pixels in zip(preview.indices if pictures else (), pictures, strict=True):
            order = places[index].order
            earlier = sum(place.order == order for place in places[:index])
            shown[order][len(self._made[order]) + earlier] = pixels
        for order in shown.keys() - self._gone:
            one = self._wanted[order]
            if not one.screen.show(preview.step, preview.total, len(one.samples), shown[order]):
                self._gone.add(order)
                self._hand_over(order, None)
        if self._gone.issuperset(place.order for place in places):
            raise _NobodyLeftError

    def _result(self, order: int, steps: int) -> Made:
        family, told = self._stage.base.family, self._wanted[order].samples[0].guidance
        return Made(
            pictures=self._made[order],
            seconds=self._seconds[order],
            steps=steps,
            guidance=family.default_guidance if told is None else told,
            sampler="Euler" if family.objective == "flow" else "DPM++ 2M",
        )
