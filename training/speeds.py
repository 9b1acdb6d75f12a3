"""How fast this studio's machines train: measured by a short probe, refined by what trainings really took.

A row of `TrainingSpeed` holds for a machine, its device, its number of threads and one size of network: that
of a preset, or another one that came with a starting point. Nobody has probed such another size. Until a
training with it has been measured, its steps are taken to last as much longer than the preset's as they have
multiply-adds more.
"""

import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from django.db import transaction
from django.db.models import Avg, F
from django.utils import timezone

from engines.stylegan.config import PRESETS, Architecture, TrainConfig
from engines.stylegan.speed import Speed, picture_work, snapshot_worth, step_multiply_adds
from jobs.hardware import threads_alone
from jobs.machines import AWAY_AFTER
from jobs.models import Machine
from training.models import Dataset, DatasetImage, DatasetVersion, Experiment, TrainingSpeed
from training.pace import Plan, Taken
from training.prices import config_of
from training.services.experiments import needs_bytes

# What a training that was long enough weighs against all that was known before it.
_WEIGHT_OF_NEWEST = 0.3
_STEPS_OF_FULL_WEIGHT = 100
# Of fewer steps, how many had a regularisation is chance.
_FEWEST_STEPS = 32


@dataclass(frozen=True)
class Sizes:
    """What decides how fast a training goes: its preset, and its networks' sizes where they are others."""

    preset: str
    architecture: Architecture

    @classmethod
    def of(cls, experiment: Experiment) -> "Sizes":
        """The sizes of an experiment, stored or only planned."""
        start = experiment.starting_point
        if start is None:
            return cls(experiment.preset, PRESETS[experiment.preset].architecture)
        return cls(experiment.preset, Architecture.from_dict(start.manifest["architecture"]))

    @property
    def key(self) -> str:
        """What `TrainingSpeed.preset` says: the preset's name, with a digest of sizes not its own."""
        if self.architecture == PRESETS[self.preset].architecture:
            return self.preset
        digest = hashlib.sha256(repr(sorted(self.architecture.as_dict().items())).encode()).hexdigest()
        return f"{self.preset}/{digest[:12]}"

    def ratio(self, config: TrainConfig, key: str) -> float:
        """How many multiply-adds a step of this training takes for each of a plain one that `key` names."""
        plain = PRESETS[self.preset]
        architecture = self.architecture if key == self.key else plain.architecture
        standard = plain.config(dataset=Path(), run_dir=Path())
        return step_multiply_adds(self.architecture, config) / step_multiply_adds(architecture, standard)


class MachinesHere:
    """What is known of the machines that take jobs now: one query, when it is first asked."""

    @cached_property
    def _rows(self) -> list[TrainingSpeed]:
        here = Machine.objects.filter(seen_at__gte=timezone.now() - AWAY_AFTER, is_draining=False)
        return list(TrainingSpeed.objects.filter(machine__in=here).select_related("machine"))

    def speed_of(self, experiment: Experiment) -> Speed | None:
        """Return how fast the fastest machine trains an experiment, stored or not; None: not measured yet."""
        sizes = replace(PRESETS[experiment.preset], architecture=Sizes.of(experiment).architecture)
        needed = needs_bytes(sizes, experiment.settings)
        rows = [row for row in self._rows if row.machine.device_bytes >= needed]
        return min(_speeds(rows, experiment), key=lambda speed: speed.step, default=None)


def speed_of(experiment: Experiment) -> Speed | None:
    """Return how fast the fastest machine that is here trains an experiment; None: not measured yet.

    The experiment may be a row that is not stored. One query.
    """
    return MachinesHere().speed_of(experiment)


def speed_here(experiment: Experiment, *, machine: Machine, threads: int) -> Speed | None:
    """Return how fast a machine is expected to train an experiment with so many threads. One query."""
    rows = TrainingSpeed.objects.filter(machine=machine, threads=threads).select_related("machine")
    return next(iter(_speeds(rows, experiment)), None)


def seconds_of(
    experiment: Experiment, speed: Speed, *, pictures: int, megapixels: float = 0.0, done: int = 0
) -> float:
    """Return how long a training takes from its step `done` on, its turn in the queue not counted.

    `megapixels` is the work that all its pictures are (`megapixels_of`). A training that goes on has
    prepared them.
    """
    return seconds_of_plan(plan_of(experiment, pictures), speed, megapixels=megapixels, done=done)


def plan_of(experiment: Experiment, pictures: int) -> Plan:
    """Return what a training on so many pictures does; its snapshots are measured against them."""
    config = config_of(experiment)
    return Plan(
        steps=config.steps,
        snapshot_every=config.snapshot_every,
        snapshot=snapshot_worth(config, pictures),
        first=snapshot_worth(config, pictures, is_first=True),
    )


def seconds_of_plan(plan: Plan, speed: Speed, *, megapixels: float, done: int) -> float:
    """Return how long a plan takes from step `done` on, at a speed."""
    preparing = 0.0 if done else megapixels * speed.picture
    snapshots = plan.worth_after(done) * speed.snapshot
    return speed.start + preparing + (plan.steps - done) * speed.step + snapshots


def megapixels_of(pictures: Dataset | DatasetVersion) -> float:
    """Return how many megapixels of work all pictures are, by the mean of their dataset. One query."""
    if isinstance(pictures, DatasetVersion):
        count, dataset_id = pictures.count, pictures.dataset_id
    else:
        count, dataset_id = pictures.picture_count, pictures.pk
    images = DatasetImage.objects.filter(dataset=dataset_id)
    mean = images.aggregate(mean=Avg(F("width") * F("height")))["mean"] or 0.0
    return picture_work(count, float(mean) / 1e6)


def _speeds(rows: Iterable[TrainingSpeed], experiment: Experiment) -> list[Speed]:
    """What each machine's best fitting row says of an experiment."""
    sizes, config = Sizes.of(experiment), config_of(experiment)
    best: dict[uuid.UUID, TrainingSpeed] = {}

    def misfit(row: TrainingSpeed) -> tuple[bool, int]:
        """Other sizes, then another number of threads than the machine would give, count against a row."""
        return row.preset != sizes.key, abs(row.threads - threads_alone(row.machine.cores))

    for row in rows:
        if row.preset not in (sizes.key, sizes.preset) or row.device != row.machine.device_name:
            continue
        known = best.get(row.machine_id)
        if known is None or misfit(row) < misfit(known):
            best[row.machine_id] = row
    return [_scaled(row, sizes, config) for row in best.values()]


def _scaled(row: TrainingSpeed, sizes: Sizes, config: TrainConfig) -> Speed:
    """What a row says of a training; its snapshots depend on the networks' sizes alone."""
    ratio = sizes.ratio(config, row.preset)
    return Speed(
        start=row.start_seconds,
        step=row.step_seconds * ratio,
        snapshot=row.snapshot_seconds * (1.0 if row.preset == sizes.key else ratio),
        picture=row.picture_seconds,
    )


def store_probe(*, machine: Machine, preset: str, threads: int, speed: Speed) -> None:
    """Write down what a probe found, unless trainings have said it better meanwhile. One row."""
    TrainingSpeed.objects.get_or_create(
        machine=machine,
        device=machine.device_name,
        preset=preset,
        threads=threads,
        defaults=_columns(speed),
    )


@transaction.atomic
def refine(experiment: Experiment, *, machine: Machine, threads: int, taken: Taken) -> None:
    """Bring what is known of a machine nearer to what an attempt really took; a short one says nothing.

    Effect: inserts or updates one row. The newest long training weighs 30 %, so that a machine whose
    surroundings change is known anew after some trainings, and one disturbed training spoils little.
    """
    if not is_telling(taken):
        return
    sizes, config = Sizes.of(experiment), config_of(experiment)
    rows = TrainingSpeed.objects.filter(machine=machine, device=machine.device_name, threads=threads)
    known = rows.filter(preset=sizes.key).select_for_update().first()
    preset_row = known or rows.filter(preset=sizes.preset).select_related("machine").first()
    before = _scaled(preset_row, sizes, config) if preset_row else None
    now = learned(before, taken, is_own=known is not None)
    # As a plain training with these sizes would take it.
    plain = replace(now, step=now.step / sizes.ratio(config, sizes.key))
    store_speed(machine=machine, preset=sizes.key, threads=threads, speed=plain)


def is_telling(taken: Taken) -> bool:
    """Whether an attempt was long enough to learn from."""
    return taken.steps >= _FEWEST_STEPS


def learned(before: Speed | None, taken: Taken, *, is_own: bool) -> Speed:
    """Return what is known after an attempt; `before` is what was expected of it.

    Where that was learned from trainings of its own sort (`is_own`), the new one has its share; else it says
    all that it can.
    """
    seen = taken.completed(before)
    if before is None or not is_own:
        return seen
    return _between(before, seen, _WEIGHT_OF_NEWEST * min(1.0, taken.steps / _STEPS_OF_FULL_WEIGHT))


def store_speed(*, machine: Machine, preset: str, threads: int, speed: Speed) -> None:
    """Write down what is known now. One row."""
    TrainingSpeed.objects.update_or_create(
        machine=machine,
        device=machine.device_name,
        preset=preset,
        threads=threads,
        defaults=_columns(speed),
    )


def _between(old: Speed, new: Speed, weight: float) -> Speed:
    def mean(name: str) -> float:
        before, after = getattr(old, name), getattr(new, name)
        return float(before + weight * (after - before))

    return Speed(start=mean("start"), step=mean("step"), snapshot=mean("snapshot"), picture=mean("picture"))


def _columns(speed: Speed) -> dict[str, object]:
    return {
        "start_seconds": speed.start,
        "step_seconds": speed.step,
        "snapshot_seconds": speed.snapshot,
        "picture_seconds": speed.picture,
        "measured_at": timezone.now(),
    }
