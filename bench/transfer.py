"""What a starting point is worth: 150 pictures of another kind, from a starter and from scratch.

python -m bench.transfer [--quick] [--start NAME] [--seconds N] [--threads N] [--sheets DIR]

Both trainings see the same 150 drawn cats with the same preset, threads and time, one after the other, the
time for writing snapshots included. Their averaged generators are compared with cats that neither has seen.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from engines.dataset import PreparedDataset, prepare
from engines.images import UInt8Array, grid
from engines.metrics.distance import Distance, random_feature_distance
from engines.progress import Control, Progress, Snapshot
from engines.starters import available, starter_folder
from engines.starters.drawings import draw, write_family
from engines.stylegan.config import GRID_COLUMNS, GRID_SEEDS, MAX_STEPS, PRESETS
from engines.stylegan.generate import Generator
from engines.stylegan.train import train

FAMILY = "cats"
PRESET = "cpu64"
STARTER = "faces64"
PICTURES = 150
UNSEEN = 1000  # drawings after those trained on; half of them to compare with, half for the floor
SECONDS, QUICK_SECONDS = 240.0, 10.0
UNSEEN_QUICK = 200
POINTS = 4
ASKED = 1.3


class Timekeeper:
    """Asks for a snapshot at each of `times`, seconds since the training began, and ends it at the last."""

    def __init__(self, times: Sequence[float]) -> None:
        self._times = list(times)
        self._began = time.perf_counter()
        self.snapshots: list[Snapshot] = []

    def progress(self, progress: Progress) -> Control:
        """Called after every step."""
        if time.perf_counter() - self._began < self._times[0]:
            return Control.CONTINUE
        self._times.pop(0)
        return Control.SNAPSHOT if self._times else Control.STOP

    def snapshot(self, snapshot: Snapshot) -> None:
        """Called when it is on disk."""
        self.snapshots.append(snapshot)


@dataclass(frozen=True, kw_only=True)
class Point:
    """One of the snapshots of a training: its step, its distance and its 28 images."""

    step: int
    distance: Distance
    images: UInt8Array


def train_for(
    times: Sequence[float], dataset: Path, unseen: UInt8Array, *, start: Path | None, threads: int
) -> list[Point]:
    """Train until the last of `times` (seconds) and measure what there was at each."""
    host = Timekeeper(times)
    with tempfile.TemporaryDirectory(prefix="atelier-transfer-") as folder:
        config = PRESETS[PRESET].config(
            dataset=dataset,
            run_dir=Path(folder),
            start=start,
            steps=MAX_STEPS,
            snapshot_every=MAX_STEPS,
            quality_samples=0,
            checkpoint_seconds=float("inf"),
            threads=threads,
        )
        train(config, host)
        return [_measured(snapshot, unseen) for snapshot in host.snapshots]


def _measured(snapshot: Snapshot, unseen: UInt8Array) -> Point:
    generator = Generator.load(snapshot.folder)
    images = generator.images(range(len(unseen) // 2))
    return Point(
        step=snapshot.step,
        distance=random_feature_distance(images, unseen),
        images=images[list(GRID_SEEDS)],
    )


def _write_sheets(folder: Path, sides: dict[str, list[Point]], real: UInt8Array) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    sheets = {"pictures": real[: len(GRID_SEEDS)]}
    for name, points in sides.items():
        sheets |= {f"{name}-{number}": point.images for number, point in enumerate(points, start=1)}
    for name, images in sheets.items():
        Image.fromarray(grid(images, columns=GRID_COLUMNS)).save(folder / f"{name}.png")


def main() -> None:
    """Train both, print their distances, then the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="too short to look good, within 45 seconds")
    parser.add_argument("--start", choices=available(), default=STARTER)
    parser.add_argument("--seconds", type=float, help=f"for each training (default: {SECONDS:.0f})")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--sheets", type=Path, help="folder for grids of the 28 images at each time")
    options = parser.parse_args()
    seconds = options.seconds or (QUICK_SECONDS if options.quick else SECONDS)
    times = [seconds * (number + 1) / POINTS for number in range(POINTS)]
    count = UNSEEN_QUICK if options.quick else UNSEEN
    unseen = np.stack([np.asarray(draw(FAMILY, PICTURES + number, 64)) for number in range(count)])
    with tempfile.TemporaryDirectory(prefix="atelier-transfer-") as folder:
        paths = write_family(FAMILY, Path(folder) / "pictures", count=PICTURES, size=64)
        pictures = [(path.name, path) for path in paths]
        dataset = prepare(pictures, Path(folder) / "dataset", resolution=64, crop="center").path
        sides = {
            name: train_for(times, dataset, unseen, start=start, threads=options.threads)
            for name, start in (("transfer", starter_folder(options.start)), ("scratch", None))
        }
        if options.sheets:
            _write_sheets(options.sheets, sides, PreparedDataset.open(dataset).images)
    floor = sides["transfer"][-1].distance
    print(
        f"{PICTURES} {FAMILY}, preset {PRESET}, {options.threads} threads: distance of {floor.samples} "
        f"generated to as many unseen ones; floor {floor.floor:.3f}"
    )
    print(f"{'seconds':22}" + "".join(f"{at:>10.0f}" for at in times))
    for name, points in sides.items():
        label = f"from {options.start}" if name == "transfer" else "from scratch"
        print(f"{label:22}" + "".join(f"{point.distance.value:>10.3f}" for point in points))
        print(f"{'  steps':22}" + "".join(f"{point.step:>10}" for point in points))
    ours, baseline = (sides[name][-1].distance.value for name in ("transfer", "scratch"))
    print(f"\nscratch over transfer; at least {ASKED} is asked for")
    print(
        f"transfer_distance ratio={baseline / ours:.2f} (ours={ours:.4g}, baseline={baseline:.4g}, distance)"
    )


if __name__ == "__main__":
    main()
