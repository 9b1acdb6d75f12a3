"""How an AI training is trained: its preset, its settings, its prompts. No torch here."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from catalog.models import ModelVersion
from engines.diffusion.config import Kind, Preset, TrainConfig, TrainPicture, preset_for
from engines.images import sheet_columns
from training.models import AITraining
from training.pace import Plan

# So many planned snapshots has a training whose owner did not say how many steps lie between two.
SNAPSHOTS = 4
MAX_PROMPTS = 8
# A training asks this little of any device; what is smaller runs on a processor.
_ANYWHERE_BYTES = 2 << 30


def preset_of(purpose: str, base: ModelVersion) -> Preset:
    """The preset for a character, a style or an object on a base of that size."""
    parameters: Mapping[str, int] = base.manifest["parameters"]
    denoiser = parameters.get("transformer", parameters.get("unet", 0))
    return preset_for(cast("Kind", purpose), denoiser)


def usual_steps(purpose: str, base: ModelVersion, pictures: int) -> int:
    """How many steps suffice for so many pictures."""
    preset = preset_of(purpose, base)
    low, high = preset.steps
    return min(high, max(low, preset.steps_per_picture * pictures))


def needs_bytes(base: ModelVersion) -> int:
    """The memory that a training on a base asks of its device; 0 for one that runs on any processor."""
    needed = int(base.manifest["memory_bytes"]["train"])
    return needed if needed > _ANYWHERE_BYTES else 0


def prompts_of(preset: Preset, *, keyword: str, subject: str) -> list[str]:
    """The prompts whose pictures show what has been learned, words filled in."""
    return [filled(prompt, keyword=keyword, subject=subject) for prompt in preset.sample_prompts]


def filled(text: str, *, keyword: str, subject: str) -> str:
    """A template of the presets with its words."""
    return text.replace("{keyword}", keyword).replace("{class_word}", subject)


def config_of(
    training: AITraining,
    *,
    base: Path | None = None,
    run_dir: Path | None = None,
    pictures: Sequence[TrainPicture] = (),
    **values: Any,
) -> TrainConfig:
    """Return how a training, stored or planned, is trained; without folders for what depends on none.

    Raises ConfigError for settings that cannot be.
    """
    preset = preset_of(training.purpose, training.base)
    settings = {"snapshot_every": -(-training.steps // SNAPSHOTS), **training.settings, **values}
    return preset.config(
        base=base or Path(),
        run_dir=run_dir or Path(),
        pictures=tuple(pictures) or _any_pictures(training),
        keyword=training.keyword,
        class_word=training.subject,
        steps=training.steps,
        seed=training.seed,
        name=training.name,
        sample_prompts=tuple(training.sample_prompts),
        **settings,
    )


def plan_of(training: AITraining) -> Plan:
    """Return what a training does; a snapshot is worth the prompts that it shows, a preset's as one."""
    config = config_of(training)
    usual = len(preset_of(training.purpose, training.base).sample_prompts)
    worth = len(training.sample_prompts) / usual
    return Plan(steps=config.steps, snapshot_every=config.snapshot_every, snapshot=worth, first=worth)


def snapshot_count(training: AITraining) -> int:
    """How many snapshots a training makes by itself."""
    return -(-training.steps // config_of(training).snapshot_every)


def sheet_of(training: AITraining) -> tuple[int, int]:
    """Columns and rows of a snapshot's sheet."""
    count = max(1, len(training.sample_prompts))
    columns = sheet_columns(count)
    return columns, -(-count // columns)


def _any_pictures(training: AITraining) -> tuple[TrainPicture, ...]:
    """As many as there are: a preset's other settings depend on their number."""
    return (TrainPicture(path=Path()),) * max(5, training.dataset_version.count)
