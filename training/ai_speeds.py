"""How fast this studio's machines train LoRAs: probed, and learned from the trainings made on them.

A row of `TrainingSpeed` holds for a machine, its number of threads, a base and what is learned ("character",
...). Its steps are those of the plain preset; a larger batch takes longer in proportion. Its start is that of
a style: what others do besides before their first step depends on their pictures. Until a training of that
sort has been made on the base, those of the others stand in.
"""

from dataclasses import replace
from pathlib import Path

from django.utils import timezone

from catalog.models import ModelVersion
from catalog.selectors import latest_versions
from engines.diffusion.config import TrainConfig, TrainPicture
from engines.manifest import TEXT_TO_IMAGE
from engines.stylegan.speed import Speed
from jobs.hardware import threads_alone
from jobs.machines import AWAY_AFTER
from jobs.models import Machine
from training.ai_plans import config_of, needs_bytes, preset_of
from training.models import AITraining, Purpose, TrainingSpeed
from training.pace import Taken
from training.speeds import is_telling, learned, store_speed

# A step with generated pictures of the class shows half as many again (engines.diffusion.updates.Prior).
_WITH_PRIOR = 1.5
# What comes before the first step, as measured on the starter. Cutting one subject out takes a processor as
# long as preparing so many megapixels; encoding one view of it takes this share of a plain step, counted for
# each of the step's pictures, and so does one step of making a picture of the class.
_CUTTING_OUT, _ENCODING, _MAKING = 75.0, 0.45, 0.36


def speed_of(training: AITraining) -> Speed | None:
    """Return how fast the fastest machine that is here trains; None: not known yet. One query.

    The training may be a row that is not stored.
    """
    here = Machine.objects.filter(
        seen_at__gte=timezone.now() - AWAY_AFTER,
        is_draining=False,
        device_bytes__gte=needs_bytes(training.base),
    )
    best: dict[object, TrainingSpeed] = {}
    rows = TrainingSpeed.objects.filter(machine__in=here, preset__in=_keys(training.base))
    for row in rows.select_related("machine"):
        known = best.get(row.machine_id)
        if row.device == row.machine.device_name and (
            known is None or _misfit(row, training) < _misfit(known, training)
        ):
            best[row.machine_id] = row
    speeds = [_scaled(row, training) for row in best.values()]
    return min(speeds, key=lambda speed: speed.step, default=None)


def speed_here(training: AITraining, *, machine: Machine, threads: int) -> Speed | None:
    """Return how fast a machine is expected to train with so many threads. One query."""
    rows = TrainingSpeed.objects.filter(
        machine=machine, device=machine.device_name, threads=threads, preset__in=_keys(training.base)
    )
    row = min(rows.select_related("machine"), key=lambda row: _misfit(row, training), default=None)
    return None if row is None else _scaled(row, training)


def refine(training: AITraining, *, machine: Machine, threads: int, taken: Taken) -> None:
    """Bring what is known nearer to what an attempt really took; a short one says nothing. One row."""
    if not is_telling(taken):
        return
    key = _key(training.purpose, training.base)
    before = speed_here(training, machine=machine, threads=threads)
    is_own = TrainingSpeed.objects.filter(machine=machine, threads=threads, preset=key).exists()
    now = learned(before, taken, is_own=is_own)
    plain = replace(now, step=now.step / _ratio(training))
    plain = replace(plain, start=max(0.0, plain.start - _preparation(plain, training)))
    store_speed(machine=machine, preset=key, threads=threads, speed=plain)


def missing_bases(machine: Machine) -> list[ModelVersion]:
    """Return the bases that a machine can train on and has not been measured for, the smallest first.

    Large ones are for cards, as large presets are. Two queries.
    """
    known = TrainingSpeed.objects.filter(
        machine=machine, device=machine.device_name, threads=threads_alone(machine.cores)
    )
    measured = set(known.values_list("preset", flat=True))
    most = machine.device_bytes if machine.device == "cuda" else 0
    bases = latest_versions().filter(model__family=TEXT_TO_IMAGE, model__withdrawn_at__isnull=True)
    missing = [base for base in bases if needs_bytes(base) <= most and measured.isdisjoint(_keys(base))]
    return sorted(missing, key=needs_bytes)


def probe_key(base: ModelVersion) -> str:
    """Return what `TrainingSpeed.preset` says of a probe: what a style's training would."""
    return _key(Purpose.STYLE, base)


def _key(purpose: str, base: ModelVersion) -> str:
    return f"lora-{purpose}-{base.sha256[:12]}"


def _keys(base: ModelVersion) -> list[str]:
    return [_key(purpose, base) for purpose in Purpose if purpose != Purpose.EXPERIMENT]


def _misfit(row: TrainingSpeed, training: AITraining) -> tuple[bool, int]:
    """What another sort of training learned, and with other threads, counts against a row."""
    is_other = row.preset != _key(training.purpose, training.base)
    return is_other, abs(row.threads - threads_alone(row.machine.cores))


def _scaled(row: TrainingSpeed, training: AITraining) -> Speed:
    plain = Speed(
        start=row.start_seconds,
        step=row.step_seconds,
        snapshot=row.snapshot_seconds,
        picture=row.picture_seconds,
    )
    start = plain.start + _preparation(plain, training)
    return replace(plain, start=start, step=plain.step * _ratio(training))


def _preparation(plain: Speed, training: AITraining) -> float:
    """How many seconds longer than a style's this training takes before its first step.

    It cuts subjects out and sets them into other surroundings, and makes pictures of the class.
    """
    config = config_of(training)
    cut_out = len(config.pictures) if config.surroundings else 0
    encoded = _ENCODING * cut_out * config.surroundings
    made = _MAKING * config.prior_pictures * config.prior_steps
    return cut_out * _CUTTING_OUT * plain.picture + (encoded + made) * plain.step / _plain(training).batch


def _ratio(training: AITraining) -> float:
    """How much longer a step of this training takes than one of the plain preset of a style."""
    return _shown(config_of(training)) / _shown(_plain(training))


def _plain(training: AITraining) -> TrainConfig:
    """The preset of a style on the training's base."""
    return preset_of(Purpose.STYLE, training.base).config(
        base=Path(),
        run_dir=Path(),
        pictures=(TrainPicture(path=Path()),) * 5,
        keyword="keyword",
        class_word="picture",
    )


def _shown(config: TrainConfig) -> float:
    return config.batch * (_WITH_PRIOR if config.prior_pictures else 1.0)
