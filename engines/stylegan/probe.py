"""How long a training takes on this machine: 20 steps of the real loop on made-up pictures, or some more.

`python -m engines probe --preset cpu64 --out speed.json` writes what the parts of a training with this preset
take, in seconds. Steps are not alike: R1 comes with every 16th, path length with every 4th, and the first
ones choose kernels. So four steps, with each regularisation once, warm up, and the mean is taken over whole
rounds of 16, in which each comes as often as it does in the long run. Where 20 steps are over in a moment a
few more rounds follow, because a processor's speed wavers from second to second.
"""

import statistics
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import torch

from engines import hardware
from engines.choices import Device
from engines.dataset import PreparedDataset, prepare
from engines.probing import (
    PICTURES,
    Stopwatch,
    made_up_pictures,
    picture_seconds,
    process_seconds,
    write_speed,
)
from engines.stylegan.config import PRESETS, TrainConfig
from engines.stylegan.speed import Speed
from engines.stylegan.state import TrainState
from engines.stylegan.train import Training

WARM_UP_STEPS = 4
ROUND = 16  # the presets' r1_interval, a multiple of their path_length_interval
MOST_ROUNDS = 4
ENOUGH_SECONDS = 10.0  # no further round once the steps have taken so long


def probe(preset: str, *, device: Device = "auto", threads: int = 1) -> Speed:
    """Train a preset for 20 to 68 steps, with a snapshot each round, in a folder that is removed afterwards.

    Without augmentation, as every training begins and most of the presets' go on.

    Raises KeyError for an unknown preset, ConfigError where the device is not there.
    """
    before = process_seconds()
    with tempfile.TemporaryDirectory(prefix="probe-") as folder:
        picture = picture_seconds(Path(folder))
        config = PRESETS[preset].config(
            dataset=Path(folder) / "dataset",
            run_dir=Path(folder) / "run",
            steps=WARM_UP_STEPS + MOST_ROUNDS * ROUND,
            snapshot_every=ROUND,
            device=device,
            threads=threads,
        )
        dataset = _made_up_dataset(config)
        watch = Stopwatch(warm_up=WARM_UP_STEPS, round_steps=ROUND, enough_seconds=ENOUGH_SECONDS)
        _training(config, dataset, watch).run()
    step = mean_step(watch.steps, config)
    return Speed(
        start=max(0.0, before + watch.steps[0] - step),
        step=step,
        snapshot=statistics.median(watch.snapshots[1:]),  # the first one measures the data too
        picture=picture,
    )


def mean_step(steps: Sequence[float], config: TrainConfig) -> float:
    """The mean over the measured rounds, each kind of step by its median.

    A disturbance of a second or two must not count for the whole of a long training.
    """
    kinds: dict[tuple[bool, bool], list[float]] = defaultdict(list)
    for step, seconds in list(enumerate(steps))[WARM_UP_STEPS:]:
        has_r1 = bool(config.gamma) and step % config.r1_interval == 0
        has_path_length = bool(config.path_length_weight) and step % config.path_length_interval == 0
        kinds[has_r1, has_path_length].append(seconds)
    measured = len(steps) - WARM_UP_STEPS
    return sum(len(kind) * statistics.median(kind) for kind in kinds.values()) / measured


def write_probe(preset: str, out: Path, *, device: Device = "auto", threads: int = 1) -> Speed:
    """Probe, and write the result as JSON: the file appears whole or not at all."""
    speed = probe(preset, device=device, threads=threads)
    write_speed(speed, out)
    return speed


def _training(config: TrainConfig, dataset: PreparedDataset, watch: Stopwatch) -> Training:
    torch.set_num_threads(config.threads)
    hardware.tune_allocator()
    device = hardware.training_device(config.device)
    dtype = hardware.compute_dtype(config.precision, device)
    state = TrainState.create(config, dtype, device)
    return Training(config, dataset, state, watch)


def _made_up_dataset(config: TrainConfig) -> PreparedDataset:
    """As many pictures of noise as the snapshots' figures ask for."""
    resolution = config.architecture.resolution
    paths = made_up_pictures(config.dataset.with_name("small"), resolution, "png")
    count = max(2 * config.quality_samples, PICTURES)
    names = ((f"{index}", paths[index % len(paths)]) for index in range(count))
    return prepare(names, config.dataset, resolution=resolution, crop="center")
