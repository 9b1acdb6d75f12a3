"""How fast a latent space is shown: tiles of a map, pictures of a walk, and the search for a picture.

python -m bench.explore [--quick]

The baseline makes the same pictures one by one, with the same weights and precision: what a page would get
that asked for each tile by itself. Both sides work in turns in one process of one thread; times are CPU
seconds, so that other work on the machine counts as little as it can. Last comes how much nearer a projection
brings the model to a picture than the nearest of 128 random ones, for a drawing it has never seen and for a
picture of its own.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from engines import hardware
from engines.choices import Precision
from engines.images import UInt8Array
from engines.starters import starter_folder
from engines.starters.drawings import draw
from engines.stylegan.generate import Generator
from engines.stylegan.latent import LatentSpace, render_tiles
from engines.stylegan.points import LatentMap, Seed, Tile
from engines.stylegan.project import Projector, projection_floor
from engines.stylegan.projecting import ProjectConfig
from engines.stylegan.walk import walk_frames
from engines.stylegan.walking import Walk

STARTER, FAMILY = "flowers64", "flowers"
UNSEEN = 1_000_000  # the starter was trained on drawings of smaller numbers
COLUMNS, ROWS = 8, 6
BATCH = 16
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")


def measure_tiles(precision: Precision, *, repeats: int) -> list[str]:
    """Print CPU milliseconds a picture, in batches and one by one; returns the figures."""
    generator = Generator.load(starter_folder(STARTER), threads=1, precision=precision)
    space = LatentSpace(generator)
    latent_map = LatentMap(axes=(0, 1), centre=Seed(seed=5))
    tiles = [Tile(x=x, y=y) for y in range(ROWS) for x in range(COLUMNS)]
    walk = Walk(points=(Seed(seed=1), Seed(seed=2)), seconds=1.0, fps=len(tiles) - 1)
    works: dict[str, dict[str, Callable[[], UInt8Array]]] = {
        "map": {
            "batches": lambda: render_tiles(space, latent_map, tiles, batch_size=BATCH),
            "one by one": lambda: np.concatenate([render_tiles(space, latent_map, [tile]) for tile in tiles]),
        },
        "walk": {
            "batches": lambda: np.stack(list(walk_frames(space, walk, batch_size=BATCH))),
            "one by one": lambda: np.stack(list(walk_frames(space, walk, batch_size=1))),
        },
    }
    lines = []
    for name, sides in works.items():
        seconds = _medians(sides, repeats)
        rates = {side: len(tiles) / found for side, found in seconds.items()}
        print(f"{name:6} {precision}: " + ", ".join(f"{side} {rate:.0f}/s" for side, rate in rates.items()))
        lines.append(_figure(f"{name}_{precision}", rates["batches"], rates["one by one"], "pictures/s"))
    return lines


def _medians(sides: dict[str, Callable[[], UInt8Array]], repeats: int) -> dict[str, float]:
    times: dict[str, list[float]] = {side: [] for side in sides}
    for repeat in range(repeats + 1):  # the first round warms up
        made = {}
        for side, work in sides.items():
            before = time.process_time()
            made[side] = work()
            if repeat:
                times[side].append(time.process_time() - before)
        first, second = (pictures.astype(int) for pictures in made.values())
        assert np.abs(first - second).max() <= 4, "the two sides must make the same pictures"
    return {side: statistics.median(found) for side, found in times.items()}


def measure_projection(*, steps: int) -> list[str]:
    """Print how near a projection comes, and how long it takes; returns the figures."""
    folder = starter_folder(STARTER)
    generator = Generator.load(folder, threads=1)
    projector = Projector(generator, folder)
    config = ProjectConfig(steps=steps)
    picture = np.asarray(draw(FAMILY, UNSEEN, generator.resolution).convert("RGB"))
    before = time.process_time()
    found = projector.project(picture, config)
    seconds = time.process_time() - before
    floor = projection_floor(projector, config)
    print(f"\nprojection, {steps} steps in {seconds:.1f} CPU seconds: distance and grey levels of 255")
    for name, nearness in {
        "random pictures": found.unrelated,
        "nearest of 128": found.best_random,
        "projection": found.reached,
        "floor: of its own": floor,
    }.items():
        print(f"{name:20} {nearness.distance:8.4f} {nearness.grey_levels:8.1f}")
    reached, best = found.reached.distance, found.best_random.distance
    return [
        _figure("projection_distance", reached, best, "lower is better"),
        _figure("projection_floor_distance", floor.distance, best, "lower is better"),
    ]


def _figure(name: str, ours: float, baseline: float, unit: str) -> str:
    return f"{name} ratio={ours / baseline:.2f} (ours={ours:.4g}, baseline={baseline:.4g}, {unit})"


def main() -> None:
    """Run the comparisons and print their tables, then one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="end within 45 seconds")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    hardware.tune_allocator()
    figures = [line for each in PRECISIONS for line in measure_tiles(each, repeats=3 if options.quick else 9)]
    figures += measure_projection(steps=100 if options.quick else 300)
    print()
    print("\n".join(figures))


if __name__ == "__main__":
    main()
