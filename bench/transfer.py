"""What a starting point is worth: 150 pictures of another kind, from a starter and from scratch.

python -m bench.transfer [--quick] [--start NAME] [--seconds N] [--threads N] [--sheets DIR]

Both trainings see the same 150 drawn cats with the same preset, steps, threads and time, one after the other,
the time for writing snapshots included. Their averaged generators are compared with cats that neither has
seen.
"""

import argparse
import os
import tempfile
import time
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
from engines.stylegan.config import GRID_COLUMNS, GRID_SEEDS, PRESETS
from engines.stylegan.generate import Generator
from engines.stylegan.train import train

FAMILY = "cats"
PRESET = "cpu64"
STARTER = "people64"
PICTURES = 150
UNSEEN = 1000  # drawings after those trained on; half of them to compare with, half for the floor
SECONDS, QUICK_SECONDS = 240.0, 12.0  # at most, for each training
STEPS = 800  # about 220 seconds on two cores
QUICK_STEPS = 40
UNSEEN_QUICK = 200
POINTS = 4
ASKED = 1.3


class Timekeeper:
    """Notes when each snapshot came, and ends the training after `limit` seconds."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._began = time.perf_counter()
        self.snapshots: list[tuple[float, Snapshot]] = []

    @property
    def seconds(self) -> float:
        """Since the training began."""
        return time.perf_counter() - self._began

    def progress(self, progress: Progress) -> Control:
        """Called after every step."""
        return Control.STOP if self.seconds > self._limit else Control.CONTINUE

    def snapshot(self, snapshot: Snapshot) -> None:
        """Called when it is on disk."""
        self.snapshots.append((self.seconds, snapshot))


@dataclass(frozen=True, kw_only=True)
class Point:
    """One of the snapshots of a training: when, its step, its distance and its 28 images."""

    seconds: float
    step: int
    distance: Distance
    images: UInt8Array


def train_for(
    limit: float, dataset: Path, unseen: UInt8Array, *, start: Path | None, steps: int, threads: int
) -> list[Point]:
    """Train for `steps`, at most `limit` seconds, and measure what there was at four points."""
    host = Timekeeper(limit)
    with tempfile.TemporaryDirectory(prefix="atelier-transfer-") as folder:
        config = PRESETS[PRESET].config(
            dataset=dataset,
            run_dir=Path(folder),
            start=start,
            steps=steps,
            snapshot_every=steps // POINTS,
            quality_samples=0,
            checkpoint_seconds=float("inf"),
            threads=threads,
        )
        train(config, host)
        return [_measured(seconds, snapshot, unseen) for seconds, snapshot in host.snapshots]


def _measured(seconds: float, snapshot: Snapshot, unseen: UInt8Array) -> Point:
    generator = Generator.load(snapshot.folder)
    images = generator.images(range(len(unseen) // 2))
    return Point(
        seconds=seconds,
        step=snapshot.step,
        distance=random_feature_distance(images, unseen),
        images=images[list(GRID_SEEDS)],
    )


def _write_sheets(folder: Path, sides: dict[str, list[Point]], real: UInt8Array) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    sheets = {"pictures": real[: len(GRID_SEEDS)]}
    for name, points in sides.items():
        sheets |= {f"{name} step {point.step}": point.images for point in points}
    for name, images in sheets.items():
        Image.fromarray(grid(images, columns=GRID_COLUMNS)).save(folder / f"{name.replace(' ', '-')}.png")


def main() -> None:
    """Train both, print their distances, then the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="too short to look good, within 45 seconds")
    parser.add_argument("--start", choices=available(), default=STARTER)
    parser.add_argument("--seconds", type=float, help=f"at most for each training (default: {SECONDS:.0f})")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--sheets", type=Path, help="folder for grids of the 28 images at each time")
    options = parser.parse_args()
    limit = options.seconds or (QUICK_SECONDS if options.quick else SECONDS)
    steps = QUICK_STEPS if options.quick else STEPS
    count = UNSEEN_QUICK if options.quick else UNSEEN
    unseen = np.stack([np.asarray(draw(FAMILY, PICTURES + number, 64)) for number in range(count)])
    with tempfile.TemporaryDirectory(prefix="atelier-transfer-") as folder:
        paths = write_family(FAMILY, Path(folder) / "pictures", count=PICTURES, size=64)
        pictures = [(path.name, path) for path in paths]
        dataset = prepare(pictures, Path(folder) / "dataset", resolution=64, crop="center").path
        common = {"steps": steps, "threads": options.threads}
        transfer = train_for(limit, dataset, unseen, start=starter_folder(options.start), **common)
        scratch = train_for(transfer[-1].seconds, dataset, unseen, start=None, **common)
        sides = {f"from {options.start}": transfer, "from scratch": scratch}
        if options.sheets:
            _write_sheets(options.sheets, sides, PreparedDataset.open(dataset).images)
    _report(sides, threads=options.threads)


def _report(sides: dict[str, list[Point]], *, threads: int) -> None:
    transfer, scratch = sides.values()
    reference = transfer[-1].distance
    print(
        f"{PICTURES} {FAMILY}, preset {PRESET}, {threads} threads: distance of {reference.samples} "
        f"generated to as many unseen ones; floor {reference.floor:.3f}"
    )
    for name, points in sides.items():
        print(f"{name:16}{'steps':>8}" + "".join(f"{point.step:>9}" for point in points))
        print(f"{'':16}{'seconds':>8}" + "".join(f"{point.seconds:>9.0f}" for point in points))
        print(f"{'':16}{'distance':>8}" + "".join(f"{point.distance.value:>9.3f}" for point in points))
    ours, baseline = (points[-1].distance.value for points in (transfer, scratch))
    print(f"\nscratch over transfer; at least {ASKED} is asked for")
    print(
        f"transfer_distance ratio={baseline / ours:.2f} (ours={ours:.4g}, baseline={baseline:.4g}, distance)"
    )


if __name__ == "__main__":
    main()
