"""What a StyleGAN2 is made of and how it is trained, as plain data. No torch here."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from engines.choices import Device, Precision
from engines.errors import ConfigError

MIN_IMAGES = 50  # fewer pictures than this are not enough to learn from
RECOMMENDED_IMAGES = (500, 5000)
MAX_STEPS = 25_000
LAST_RATE = 0.1  # of the learning rate, at the end of the cooldown
GRID_SEEDS = tuple(range(28))  # the seeds of every sample grid
GRID_COLUMNS = 7


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Sizes of generator and discriminator; a training keeps those of its starting point.

    A feature map of `r` x `r` pixels has `min(channel_base // r, channel_max)` channels.
    """

    resolution: int = 64
    z_dim: int = 128
    w_dim: int = 128
    mapping_layers: int = 2
    channel_base: int = 1024
    channel_max: int = 64

    def __post_init__(self) -> None:
        if self.resolution < 8 or self.resolution & (self.resolution - 1):
            raise ConfigError(
                f"Resolution {self.resolution} is not a power of two from 8 up. Choose for example 64."
            )
        if min(self.z_dim, self.w_dim, self.mapping_layers, self.channel_max) < 1:
            raise ConfigError("The sizes of a network must be at least 1.")
        if self.channel_base < self.resolution:
            raise ConfigError(
                f"channel_base {self.channel_base} leaves no channel at {self.resolution} pixels."
            )

    @property
    def block_resolutions(self) -> tuple[int, ...]:
        """4, 8, 16, ... up to the resolution."""
        return tuple(1 << power for power in range(2, self.resolution.bit_length()))

    @property
    def num_ws(self) -> int:
        """How many w the synthesis network takes: two each resolution."""
        return 2 * len(self.block_resolutions)

    def channels(self, resolution: int) -> int:
        """Channels of a feature map of `resolution` x `resolution` pixels."""
        return min(self.channel_base // resolution, self.channel_max)

    def as_dict(self) -> dict[str, int]:
        """For model.json."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Architecture":
        """From model.json; unknown keys are ignored. Raises KeyError or TypeError where a size is missing."""
        return cls(**{field.name: int(values[field.name]) for field in fields(cls)})


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that decides the outcome of a training. Same config, data, machine and threads: same bytes.

    A step is one update of the generator (and of the discriminator) on `batch` images.
    """

    dataset: Path  # a folder made by engines.dataset.prepare
    run_dir: Path  # snapshots and checkpoints go here; a checkpoint found here is resumed
    start: Path | None = None  # model folder to go on from; None: from scratch
    architecture: Architecture = Architecture()  # used from scratch only, otherwise the start decides
    steps: int = 3000
    batch: int = 16
    micro_batch: int | None = None  # images that fit into memory at once; the rest of a batch waits its turn
    seed: int = 0
    mirror: bool = True  # show every picture also left-right reversed
    learning_rate: float = 0.0025
    cooldown: float = 0.0  # last share of the steps, over which the learning rate falls to a tenth
    gamma: float = 0.1  # weight of R1 (1801.04406)
    r1_interval: int = 16  # R1 every so many steps (1912.04958, section 3.1)
    path_length_weight: float = 0.0  # 0: off; 2 is usual (1912.04958, section 3.2)
    path_length_interval: int = 4
    noise: bool = True  # let the generator use random detail; off for flat drawings, which have none
    style_mixing: float = 0.0  # probability of two styles in one image; 0.9 in the paper
    ema_kimg: float = 2.0  # half-life of the averaged generator, in thousands of images
    ema_rampup: float | None = 0.05  # half-life at most this share of the images seen so far; None: constant
    ada_target: float = (
        0.6  # wanted share of confident verdicts on real images (2006.06676); 0: no augmentation
    )
    ada_kimg: float = 100.0  # thousands of images in which p could go from 0 to 1
    ada_max: float = 0.8  # beyond this, augmentation leaks into what is generated
    ada_colour: bool = True
    ada_rotation: bool = True
    freeze_d: int = 0  # freeze the discriminator's first layers (2002.10964), counted from the image
    snapshot_every: int = 250  # steps
    quality_samples: int = 256  # images that each snapshot's quality figures rest on; 0: no figures
    checkpoint_seconds: float = 120.0  # at most this much work is lost to a crash
    threads: int = 1
    precision: Precision = "auto"
    device: Device = "auto"
    name: str = ""  # what the model will call itself in model.json
    licence: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= MAX_STEPS:
            raise ConfigError(f"Steps must be between 1 and {MAX_STEPS}; you asked for {self.steps}.")
        if not 1 <= self.batch <= 512:
            raise ConfigError(f"The batch must hold 1 to 512 images; you asked for {self.batch}.")
        self._check_numbers()
        if self.micro_batch is not None and self.micro_batch < 1:
            raise ConfigError("micro_batch must be at least 1; leave it out to take a batch at once.")
        if min(self.r1_interval, self.path_length_interval, self.snapshot_every, self.threads) < 1:
            raise ConfigError("Intervals and the number of threads must be at least 1.")

    def _check_numbers(self) -> None:
        not_negative = ("learning_rate", "gamma", "path_length_weight", "ada_kimg", "ema_kimg")
        for name in (*not_negative, "quality_samples"):
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0:
                raise ConfigError(f"{name} must be a number from 0 up; you gave {value}.")
        if self.learning_rate == 0 or self.ada_kimg == 0:
            raise ConfigError("learning_rate and ada_kimg must be greater than 0.")
        if not 0 <= self.ada_target < 1:
            raise ConfigError(f"ada_target must be at least 0 and below 1; you gave {self.ada_target}.")
        for name in ("style_mixing", "cooldown"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} must be between 0 and 1; you gave {getattr(self, name)}.")

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of the step after `step` others: constant, then falling to a tenth at the end.

        Small steps at the end settle what large ones only circle around: edges become clean.
        """
        falling = self.cooldown * self.steps
        remaining = self.steps - step
        if remaining >= falling:
            return self.learning_rate
        return self.learning_rate * max(LAST_RATE, remaining / falling)

    def parts(self, processes: int = 1) -> int:
        """Into how many equal parts each batch is split among `processes` and their rounds.

        Raises ConfigError where it cannot be split evenly.
        """
        share = self.batch // processes
        part = min(self.micro_batch or share, share)
        if part == 0 or self.batch % (part * processes):
            raise ConfigError(
                f"A batch of {self.batch} images cannot be shared evenly by {processes} processes with at "
                f"most {self.micro_batch or share} images at once. Choose a batch that is a multiple of both."
            )
        return self.batch // part


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A tried combination of network sizes and settings, with the steps it usually wants."""

    title: str
    architecture: Architecture
    settings: Mapping[str, Any]  # for every training with this preset
    transfer: Mapping[str, Any]  # in addition, when going on from a starting point
    scratch_steps: int
    transfer_steps: int

    def config(
        self, *, dataset: Path, run_dir: Path, start: Path | None = None, **overrides: Any
    ) -> TrainConfig:
        """A complete TrainConfig. `overrides` are TrainConfig fields that win over the preset's."""
        values: dict[str, Any] = {
            "architecture": self.architecture,
            "steps": self.transfer_steps if start else self.scratch_steps,
            **self.settings,
            **(self.transfer if start else {}),
            **overrides,
        }
        return TrainConfig(dataset=dataset, run_dir=run_dir, start=start, **values)


def _full_size(resolution: int, channel_base: int, **settings: Any) -> Preset:
    architecture = Architecture(
        resolution=resolution,
        z_dim=512,
        w_dim=512,
        mapping_layers=8,
        channel_base=channel_base,
        channel_max=512,
    )
    return Preset(
        title=f"{resolution} pixels, for a graphics card",
        architecture=architecture,
        settings={
            "path_length_weight": 2.0,
            "style_mixing": 0.9,
            "ema_kimg": 5.0,
            "ada_kimg": 500.0,
            **settings,
        },
        transfer={"ema_rampup": None, "ada_kimg": 100.0},
        scratch_steps=MAX_STEPS,
        transfer_steps=10_000,
    )


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "cpu64": Preset(
            title="64 pixels, quick on any processor",
            architecture=Architecture(),
            # Tried on drawings: large steps that become small at the end, and far more R1 than the rule of
            # thumb; augmentation late and slowly, because even little of it holds back a training of minutes;
            # no noise, as they have no random detail.
            settings={
                "batch": 16,
                "learning_rate": 0.005,
                "cooldown": 0.3,
                "gamma": 1.0,
                "ema_kimg": 4.0,
                "ada_target": 0.85,
                "ada_kimg": 500.0,
                "noise": False,
            },
            transfer={"ema_kimg": 1.0, "ema_rampup": None, "cooldown": 0.4},
            scratch_steps=6000,
            transfer_steps=1000,
        ),
        "cpu64-hq": Preset(
            title="64 pixels, finer, about five times slower",
            architecture=Architecture(z_dim=512, w_dim=512, channel_base=4096, channel_max=128),
            settings={
                "batch": 16,
                "learning_rate": 0.0025,
                "gamma": 0.05,
                "ema_kimg": 4.0,
                "path_length_weight": 2.0,
                "style_mixing": 0.9,
            },
            transfer={"ema_kimg": 1.0, "ema_rampup": None},
            scratch_steps=12_000,
            transfer_steps=2000,
        ),
        "gpu256": _full_size(256, 16_384, batch=16, gamma=1.0),
        "gpu512": _full_size(512, 32_768, batch=64, micro_batch=8, gamma=1.0, ema_kimg=20.0),
        "gpu1024": _full_size(
            1024, 32_768, batch=32, micro_batch=4, learning_rate=0.002, gamma=6.0, ema_kimg=10.0
        ),
    }
)


def preset_for(architecture: Architecture) -> Preset:
    """The preset with these network sizes, else that of the nearest resolution with its sizes replaced."""
    for preset in PRESETS.values():
        if preset.architecture == architecture:
            return preset
    nearest = min(
        PRESETS.values(), key=lambda preset: abs(preset.architecture.resolution - architecture.resolution)
    )
    return replace(nearest, architecture=architecture)
