"""How fast and with how much memory StyleGAN2 trains and makes images here.

python -m bench.stylegan [--quick] [--only SECTION ...] [--configuration A|M|S ...]

The baseline is `bench.plain_stylegan`: the papers' formulas in PyTorch's usual layout and float32. Both sides
have the same weights, recipe and settings of the memory allocator and work in turns in one process of one
thread. Times are CPU seconds, so that other work on the machine counts as little as it can.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.plain_stylegan import PlainTraining
from engines import hardware
from engines.dataset import PreparedDataset, prepare
from engines.images import UInt8Array, to_uint8
from engines.metrics.distance import Distance, random_feature_distance
from engines.starters.drawings import write_family
from engines.stylegan.batches import RealImages
from engines.stylegan.config import Architecture, TrainConfig
from engines.stylegan.distributed import Ranks
from engines.stylegan.networks import Generator
from engines.stylegan.state import TrainState
from engines.stylegan.updates import Updates

BATCH = 16
RESOLUTION = 64
GENERATED = 16  # images made at once
R1_INTERVAL, PATH_LENGTH_INTERVAL = 16, 4
CPU = torch.device("cpu")
SECTIONS = ("speed", "memory", "quality")
QUALITY_POINTS = 5
QUALITY_SAMPLES = 500
QUALITY_SEEDS = (0, 1, 2)

CONFIGURATIONS = {
    name: Architecture(
        resolution=RESOLUTION, z_dim=z, w_dim=z, mapping_layers=2, channel_base=base, channel_max=cap
    )
    for name, (base, cap, z) in {"A": (4096, 128, 512), "M": (2048, 128, 128), "S": (1024, 64, 128)}.items()
}
ENGINES = {"baseline": None, "fp32": torch.float32, "bf16": torch.bfloat16}
OURS = ("fp32", "bf16")


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two implementations, ready to work: single updates, whole steps, making images."""

    updates: Mapping[str, Callable[[], object]]
    step: Callable[[], object]
    images: Callable[[Tensor], Tensor]


def settings(configuration: str, dataset: Path) -> TrainConfig:
    """The whole recipe without augmentation, whose speed depends on how much of it there is."""
    return TrainConfig(
        dataset=dataset,
        run_dir=dataset.parent,
        architecture=CONFIGURATIONS[configuration],
        batch=BATCH,
        path_length_weight=2.0,
        path_length_interval=PATH_LENGTH_INTERVAL,
        r1_interval=R1_INTERVAL,
        style_mixing=0.9,
        ada_target=0.0,
        gamma=0.3,
        ema_kimg=1.0,
        ema_rampup=None,
    )


def build(engine: str, config: TrainConfig) -> Side:
    """A side with freshly drawn weights: the same ones each time."""
    dtype = ENGINES[engine]
    state = TrainState.create(config, dtype or torch.float32)
    reals = RealImages(
        PreparedDataset.open(config.dataset), batch=BATCH, seed=config.seed, mirror=config.mirror, device=CPU
    )
    if dtype is None:
        return _plain_side(state, reals, config)
    ours = Updates(config, reals, state, Ranks())
    return Side(
        updates={
            "G": ours.update_generator,
            "path": ours.regularise_generator,
            "D": ours.update_discriminator,
            "R1": ours.regularise_discriminator,
        },
        step=ours.step,
        images=partial(_make_images, state.g_ema),
    )


def _plain_side(state: TrainState, reals: RealImages, config: TrainConfig) -> Side:
    torch.manual_seed(config.seed)
    plain = PlainTraining(
        state.g,
        state.d,
        learning_rate=config.learning_rate,
        gamma=config.gamma,
        path_length_weight=config.path_length_weight,
        style_mixing=config.style_mixing,
        noise=config.noise,
    )
    beta = 0.5 ** (BATCH / (config.ema_kimg * 1000.0))
    done = 0

    def batch() -> Tensor:
        return reals.part(done, done * BATCH, slice(None)).contiguous()

    updates = {
        "G": lambda: plain.update_generator(BATCH),
        "path": lambda: plain.regularise_generator(BATCH // 2),
        "D": lambda: plain.update_discriminator(batch()),
        "R1": lambda: plain.regularise_discriminator(batch()),
    }

    def step() -> None:
        nonlocal done
        for name, every in (("G", 1), ("path", PATH_LENGTH_INTERVAL), ("D", 1), ("R1", R1_INTERVAL)):
            if done % every == 0:
                updates[name]()
        plain.update_average(beta)
        done += 1

    return Side(updates=updates, step=step, images=plain.make_images)


@torch.inference_mode()
def _make_images(generator: Generator, z: Tensor) -> Tensor:
    images: Tensor = generator(z, noise_mode="const")
    return images


def measure_speed(
    configuration: str, dataset: Path, *, repeats: int, seconds: float = float("inf")
) -> list[str]:
    """Print CPU seconds of each update and of 16 images; returns the figures.

    A step is an update of each network and its share of the lazy ones, so images a second are 16 / (G + D +
    path / 4 + R1 / 16). After `seconds` no further round begins.
    """
    config = settings(configuration, dataset)
    sides = {engine: build(engine, config) for engine in ENGINES}
    z = torch.randn(GENERATED, config.architecture.z_dim, generator=torch.Generator().manual_seed(0))
    works: dict[str, dict[str, Callable[[], object]]] = {
        engine: {**side.updates, f"{GENERATED} images": partial(side.images, z)}
        for engine, side in sides.items()
    }
    times: dict[str, dict[str, list[float]]] = {
        engine: {name: [] for name in work} for engine, work in works.items()
    }
    started = time.perf_counter()
    for repeat in range(repeats + 1):  # the first round warms up
        if repeat > 1 and time.perf_counter() - started > seconds:
            break
        for name in works["baseline"]:
            for engine, work in works.items():
                before = time.process_time()
                work[name]()
                if repeat:
                    times[engine][name].append(time.process_time() - before)
    medians = {
        engine: {name: statistics.median(found) for name, found in by_name.items()}
        for engine, by_name in times.items()
    }
    rates = {engine: _rate(found) for engine, found in medians.items()}
    names = list(medians["baseline"])
    print(f"\n{configuration}: CPU seconds, medians of {len(times['baseline'][names[0]])}")
    print(f"{'':10}" + "".join(f"{name:>11}" for name in names) + f"{'images/s':>11}")
    for engine, found in medians.items():
        print(f"{engine:10}" + "".join(f"{found[name]:11.4f}" for name in names) + f"{rates[engine]:11.1f}")
    lines = []
    for engine in OURS:
        lines.append(_figure(f"train_{engine}_{configuration}", rates[engine], rates["baseline"], "images/s"))
        made, baseline = (GENERATED / medians[side][names[-1]] for side in (engine, "baseline"))
        lines.append(_figure(f"generate_{engine}_{configuration}", made, baseline, "images/s"))
    return lines


def _rate(seconds: dict[str, float]) -> float:
    step = seconds["G"] + seconds["D"]
    return BATCH / (step + seconds["path"] / PATH_LENGTH_INTERVAL + seconds["R1"] / R1_INTERVAL)


def measure_memory(configuration: str, dataset: Path) -> list[str]:
    """Peak memory of training above that of an idle process, each side in a fresh process of its own."""
    peaks = {}
    for engine in ENGINES:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            peaks[engine] = pool.submit(_peak_mebibytes, engine, settings(configuration, dataset)).result()
    print(f"\n{configuration}: peak MiB of training " + ", ".join(f"{k} {v:.0f}" for k, v in peaks.items()))
    return [
        _figure(f"memory_{engine}_{configuration}", peaks[engine], peaks["baseline"], "MiB, lower is better")
        for engine in OURS
    ]


def _peak_mebibytes(engine: str, config: TrainConfig) -> float:
    """Beyond what PyTorch itself needs once it works: a training too small to count comes first."""
    _prepare_process()
    smallest = replace(config.architecture, channel_base=RESOLUTION, channel_max=4)
    _train_briefly(build(engine, replace(config, architecture=smallest)))
    idle = _peak_resident()
    _train_briefly(build(engine, config))
    return (_peak_resident() - idle) / 1024


def _train_briefly(side: Side) -> None:
    for _ in range(2):
        for update in side.updates.values():
            update()


def _peak_resident() -> int:
    """KiB. Not `getrusage`, which counts what the parent process once held."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def measure_quality(configuration: str, dataset: Path, *, steps: int, seeds: Sequence[int]) -> list[str]:
    """Train both sides alike, once a seed, and print their distances at five points of equal images seen."""
    config = settings(configuration, dataset)
    real: UInt8Array = np.array(PreparedDataset.open(dataset).images)
    rows: dict[str, list[list[float]]] = {"baseline": [], "bf16": []}
    for seed in seeds:
        for engine, runs in rows.items():
            distances = _trained_distances(engine, replace(config, seed=seed), real, steps=steps)
            floor = distances[-1].floor
            runs.append([distance.value for distance in distances])
            print(f"seed {seed} {engine:10}" + "".join(f"{value:11.3f}" for value in runs[-1]), flush=True)
    print(f"\n{configuration}: distance after equal images seen, mean and deviation over {len(seeds)} seeds")
    print(f"(floor {floor:.3f}, {QUALITY_SAMPLES} samples; lower is better)")
    points = [steps // QUALITY_POINTS * BATCH * (index + 1) for index in range(QUALITY_POINTS)]
    print(f"{'images':10}" + "".join(f"{point:>15}" for point in points))
    for engine, runs in rows.items():
        columns = [f"{np.mean(column):.3f} ±{np.std(column):.3f}" for column in zip(*runs, strict=True)]
        print(f"{engine:10}" + "".join(f"{column:>15}" for column in columns))
    ours, baseline = (float(np.mean(rows[engine])) for engine in ("bf16", "baseline"))
    unit = f"mean of {QUALITY_POINTS} points and {len(seeds)} seeds, lower is better"
    return [_figure(f"distance_bf16_{configuration}", ours, baseline, unit)]


def _trained_distances(engine: str, config: TrainConfig, real: UInt8Array, *, steps: int) -> list[Distance]:
    """The distances of one side's images at five points of a training."""
    z = torch.randn(QUALITY_SAMPLES, config.architecture.z_dim, generator=torch.Generator().manual_seed(0))
    side = build(engine, config)
    distances = []
    for step in range(1, steps + 1):
        side.step()
        if step % (steps // QUALITY_POINTS) == 0:
            images = [to_uint8(side.images(part).numpy()) for part in torch.split(z, GENERATED)]
            distances.append(random_feature_distance(np.concatenate(images), real))
    return distances


def _figure(name: str, ours: float, baseline: float, unit: str) -> str:
    return f"{name} ratio={ours / baseline:.2f} (ours={ours:.4g}, baseline={baseline:.4g}, {unit})"


def _prepare_process() -> None:
    torch.set_num_threads(1)
    hardware.tune_allocator()


def _pictures(folder: Path, count: int) -> Path:
    paths = write_family("faces", folder / "pictures", count=count, size=RESOLUTION)
    pictures = [(path.name, path) for path in paths]
    return prepare(pictures, folder / "dataset", resolution=RESOLUTION, crop="center").path


def measure(
    sections: Sequence[str], configurations: Sequence[str], dataset: Path, *, is_quick: bool
) -> list[str]:
    """Run the sections and return their last lines."""
    figures: list[str] = []
    for configuration in configurations:
        if "speed" in sections:
            limit = 10.0 if is_quick else float("inf")
            figures += measure_speed(configuration, dataset, repeats=7, seconds=limit)
        if "memory" in sections:
            figures += measure_memory(configuration, dataset)
    if "quality" in sections and not is_quick:
        figures += measure_quality(configurations[-1], dataset, steps=500, seeds=QUALITY_SEEDS)
    return figures


def main() -> None:
    """Run the comparisons and print their tables, then one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the smallest one alone, within 45 seconds")
    parser.add_argument("--only", action="append", choices=SECTIONS, help="as often as you like")
    parser.add_argument("--configuration", action="append", choices=CONFIGURATIONS)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    _prepare_process()
    configurations = options.configuration or (["S"] if options.quick else list(CONFIGURATIONS))
    with tempfile.TemporaryDirectory(prefix="atelier-bench-") as folder:
        dataset = _pictures(Path(folder), 64 if options.quick else 1200)
        figures = measure(options.only or SECTIONS, configurations, dataset, is_quick=options.quick)
    print()
    print("\n".join(figures))


if __name__ == "__main__":
    main()
