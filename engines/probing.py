"""What the probes of all kinds of trainings share: a stopwatch, made-up pictures, the result as JSON."""

import json
import os
import shutil
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from engines.dataset import prepare
from engines.progress import Control, Progress, Snapshot
from engines.stylegan.speed import Speed, picture_work

PICTURES = 8
PICTURE_SIDE = 1000  # pixels: one megapixel


class Stopwatch:
    """The host of the measured training: it looks at the clock and copies snapshots, as if to store them.

    After `warm_up` steps it ends the training with a round of `round_steps`, once all took `enough_seconds`.
    """

    def __init__(self, *, warm_up: int, round_steps: int, enough_seconds: float) -> None:
        self.steps: list[float] = []
        self.snapshots: list[float] = []
        self._warm_up, self._round_steps, self._enough_seconds = warm_up, round_steps, enough_seconds
        self._since = time.perf_counter()

    def progress(self, progress: Progress) -> Control:
        """Called after each step."""
        self.steps.append(self._lap())
        measured = len(self.steps) - self._warm_up
        is_round = measured > 0 and measured % self._round_steps == 0
        return Control.STOP if is_round and sum(self.steps) >= self._enough_seconds else Control.CONTINUE

    def snapshot(self, snapshot: Snapshot) -> None:
        """Called with each snapshot."""
        shutil.copytree(snapshot.folder, snapshot.folder.with_name(f"{snapshot.folder.name}-stored"))
        self.snapshots.append(self._lap())

    def _lap(self) -> float:
        now = time.perf_counter()
        lap, self._since = now - self._since, now
        return lap


def made_up_pictures(folder: Path, side: int, suffix: str) -> list[Path]:
    """Write files of smooth noise, as pictures have it: its compression costs what that of pictures does."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    paths = [folder / f"{index}.{suffix}" for index in range(PICTURES)]
    for path in paths:
        coarse = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
        fine = rng.normal(0.0, 8.0, (side, side, 3))
        smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), dtype=np.float64)
        Image.fromarray((smooth + fine).clip(0, 255).astype(np.uint8)).save(path)
    return paths


def picture_seconds(folder: Path) -> float:
    """How long it takes to prepare one megapixel of JPEG files, in seconds (`Speed.picture`)."""
    paths = made_up_pictures(folder / "large", PICTURE_SIDE, "jpg")
    started = time.perf_counter()
    prepare(((path.name, path) for path in paths), folder / "prepared", resolution=64, crop="center")
    return (time.perf_counter() - started) / picture_work(len(paths), PICTURE_SIDE**2 / 1e6)


def process_seconds() -> float:
    """How long ago this process began, in seconds: imports count, which is most of a start."""
    fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    begun = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # field 22 of proc(5), counted from the name on
    return time.clock_gettime(time.CLOCK_BOOTTIME) - begun


def write_speed(speed: Speed, out: Path) -> None:
    """Write the result as JSON: the file appears whole or not at all."""
    draft = out.with_suffix(".part")
    draft.write_text(json.dumps(asdict(speed)), encoding="utf-8")
    draft.replace(out)
