"""How long a training takes on this machine: 20 steps of the real loop on made-up pictures, or some more.

`python -m engines probe --preset cpu64 --out speed.json` writes what the parts of a training with this preset
take, in seconds. Steps are not alike: R1 comes with every 16th, path length with every 4th, and the first
ones choose kernels. So four steps, with each regularisation once, warm up, and the mean is taken over whole
rounds of 16, in which each comes as often as it does in the long run. Where 20 steps are over in a moment a
few more rounds follow, because a processor's speed wavers from second to second.
"""

import json
import os
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from engines import hardware
from engines.dataset import PreparedDataset, prepare
from engines.progress import Control, Progress, Snapshot
from engines.stylegan.config import PRESETS, Device, TrainConfig
from engines.stylegan.speed import Speed
from engines.stylegan.state import TrainState
from engines.stylegan.train import Training

WARM_UP_STEPS = 4
ROUND = 16  # the presets' r1_interval, a multiple of their path_length_interval
MOST_ROUNDS = 4
ENOUGH_SECONDS = 10.0  # no further round once the steps have taken so long
PICTURES = 8
PICTURE_SIDE = 1000  # pixels: one megapixel


class Stopwatch:
    """The host of the measured training: it looks at the clock and copies snapshots, as if to store them."""

    def __init__(self, enough_seconds: float = ENOUGH_SECONDS) -> None:
        self.steps: list[float] = []
        self.snapshots: list[float] = []
        self._enough_seconds = enough_seconds
        self._since = time.perf_counter()

    def progress(self, progress: Progress) -> Control:
        """Called after each step. Ends the training with a round, once that is enough."""
        self.steps.append(self._lap())
        is_round = len(self.steps) > WARM_UP_STEPS and (len(self.steps) - WARM_UP_STEPS) % ROUND == 0
        return Control.STOP if is_round and sum(self.steps) >= self._enough_seconds else Control.CONTINUE

    def snapshot(self, snapshot: Snapshot) -> None:
        """Called with each snapshot."""
        shutil.copytree(snapshot.folder, snapshot.folder.with_name(f"{snapshot.folder.name}-stored"))
        self.snapshots.append(self._lap())

    def _lap(self) -> float:
        now = time.perf_counter()
        lap, self._since = now - self._since, now
        return lap


def probe(preset: str, *, device: Device = "auto", threads: int = 1) -> Speed:
    """Train a preset for 20 to 68 steps, with a snapshot each round, in a folder that is removed afterwards.

    Without augmentation, as every training begins and most of the presets' go on.

    Raises KeyError for an unknown preset, ConfigError where the device is not there.
    """
    before = _process_seconds()
    with tempfile.TemporaryDirectory(prefix="probe-") as folder:
        picture = _picture_seconds(Path(folder))
        config = PRESETS[preset].config(
            dataset=Path(folder) / "dataset",
            run_dir=Path(folder) / "run",
            steps=WARM_UP_STEPS + MOST_ROUNDS * ROUND,
            snapshot_every=ROUND,
            device=device,
            threads=threads,
        )
        dataset = _made_up_dataset(config)
        watch = Stopwatch()
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
    draft = out.with_suffix(".part")
    draft.write_text(json.dumps(asdict(speed)), encoding="utf-8")
    draft.replace(out)
    return speed


def _training(config: TrainConfig, dataset: PreparedDataset, watch: Stopwatch) -> Training:
    torch.set_num_threads(config.threads)
    hardware.tune_allocator()
    device = hardware.training_device(config.device)
    dtype = hardware.compute_dtype(config.precision, device)
    state = TrainState.create(config, dtype, device)
    return Training(config, dataset, state, watch)


def _picture_seconds(folder: Path) -> float:
    """How long it takes to prepare a JPEG of one megapixel."""
    paths = _pictures(folder / "large", PICTURE_SIDE, "jpg")
    started = time.perf_counter()
    prepare(((path.name, path) for path in paths), folder / "prepared", resolution=64, crop="center")
    return (time.perf_counter() - started) / len(paths)


def _made_up_dataset(config: TrainConfig) -> PreparedDataset:
    """As many pictures of noise as the snapshots' figures ask for."""
    resolution = config.architecture.resolution
    paths = _pictures(config.dataset.with_name("small"), resolution, "png")
    count = max(2 * config.quality_samples, PICTURES)
    names = ((f"{index}", paths[index % len(paths)]) for index in range(count))
    return prepare(names, config.dataset, resolution=resolution, crop="center")


def _pictures(folder: Path, side: int, suffix: str) -> list[Path]:
    """Smooth noise, as pictures have it: its compression costs what that of pictures does."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    paths = [folder / f"{index}.{suffix}" for index in range(PICTURES)]
    for path in paths:
        coarse = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
        fine = rng.normal(0.0, 8.0, (side, side, 3))
        smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), dtype=np.float64)
        Image.fromarray((smooth + fine).clip(0, 255).astype(np.uint8)).save(path)
    return paths


def _process_seconds() -> float:
    """How long ago this process began, in seconds: imports count, which is most of a start."""
    fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    begun = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # field 22 of proc(5), counted from the name on
    return time.clock_gettime(time.CLOCK_BOOTTIME) - begun
