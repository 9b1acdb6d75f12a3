"""What a training leaves behind to look at and to use: model folders with a grid, and grids alone."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from engines.checkpoint import write_model
from engines.dataset import PreparedDataset
from engines.files import atomic_folder
from engines.images import UInt8Array, grid, to_uint8
from engines.manifest import (
    DISCRIMINATOR_FILE,
    GENERATOR_FILE,
    MODEL_FILE,
    STYLEGAN2,
    ModelInfo,
    read_model_info,
)
from engines.progress import Snapshot
from engines.provenance import Provenance, write_png
from engines.stylegan.config import GRID_COLUMNS, GRID_SEEDS, TrainConfig
from engines.stylegan.networks import Generator
from engines.stylegan.randomness import Purpose, latents, torch_rng
from engines.stylegan.state import TrainState

SNAPSHOTS = "snapshots"
SAMPLES = "samples"
GRID_FILE = "grid.png"
IMAGES_AT_ONCE = 7
STATS_FILE = "stats.json"


def write_snapshot(
    config: TrainConfig, dataset: PreparedDataset, state: TrainState, stats: Mapping[str, float]
) -> Snapshot:
    """Write run_dir/snapshots/<step>: a model folder, grid.png of the fixed seeds and stats.json."""
    info = ModelInfo(
        family=STYLEGAN2,
        architecture=state.architecture.as_dict(),
        name=config.name,
        step=state.step,
        nimg=state.start_nimg + state.nimg,
        licence=config.licence,
        lineage=_lineage(config, dataset),
        stats=stats,
    )
    networks = {GENERATOR_FILE: state.g_ema.state_dict(), DISCRIMINATOR_FILE: state.d.state_dict()}
    target = snapshot_folder(config.run_dir, state.step)
    with atomic_folder(target) as folder:
        write_model(folder, info, networks)
        _write_grid_and_stats(folder, state, stats)
    return _snapshot(target, state.step, state.nimg, stats)


def snapshot_folder(run_dir: Path, step: int) -> Path:
    """Where a training keeps the snapshot of a step."""
    return run_dir / SNAPSHOTS / f"{step:06d}"


def write_sample(config: TrainConfig, state: TrainState, stats: Mapping[str, float]) -> Snapshot:
    """Write run_dir/samples/<step>: the grid alone, quickly."""
    target = config.run_dir / SAMPLES / f"{state.step:06d}"
    with atomic_folder(target) as folder:
        _write_grid_and_stats(folder, state, stats)
    return _snapshot(target, state.step, state.nimg, stats, is_sample=True)


def latest_snapshot(run_dir: Path) -> Snapshot | None:
    """The last snapshot of a training, or None."""
    folders = sorted((run_dir / SNAPSHOTS).glob(f"[0-9]*/{MODEL_FILE}"))
    if not folders:
        return None
    folder = folders[-1].parent
    info = read_model_info(folder)
    return _snapshot(folder, info.step, info.nimg, info.stats)


def measured_images(generator: Generator, count: int) -> UInt8Array:
    """`count` untruncated images for quality figures, uint8 `[N, R, R, 3]`: the same latents each time."""
    device = generator.mapping.w_avg.device
    rng = torch_rng(0, Purpose.QUALITY, device=device)
    z = torch.randn(count, generator.architecture.z_dim, generator=rng, device=device)
    return _images(generator, z)


def sample_grid(generator: Generator) -> Image.Image:
    """The images of the fixed seeds, untruncated, seven in a row."""
    z = latents(GRID_SEEDS, generator.architecture.z_dim).to(generator.mapping.w_avg.device)
    return Image.fromarray(grid(_images(generator, z), columns=GRID_COLUMNS))


def _images(generator: Generator, z: Tensor) -> UInt8Array:
    with torch.inference_mode():
        parts = [generator(part, noise_mode="const") for part in torch.split(z, IMAGES_AT_ONCE)]
    return np.concatenate([to_uint8(part.cpu().numpy()) for part in parts])


def _write_grid_and_stats(folder: Path, state: TrainState, stats: Mapping[str, float]) -> None:
    seeds = f"{GRID_SEEDS[0]}-{GRID_SEEDS[-1]}"
    record = Provenance(settings={"Seeds": seeds, "Truncation": 1.0, "Training step": state.step})
    write_png(sample_grid(state.g_ema), folder / GRID_FILE, record)
    (folder / STATS_FILE).write_text(json.dumps({"step": state.step, **stats}, indent=2), encoding="utf-8")


def _snapshot(
    folder: Path, step: int, nimg: int, stats: Mapping[str, float], *, is_sample: bool = False
) -> Snapshot:
    return Snapshot(
        folder=folder, grid=folder / GRID_FILE, step=step, nimg=nimg, stats=dict(stats), is_sample=is_sample
    )


def _lineage(config: TrainConfig, dataset: PreparedDataset) -> tuple[Mapping[str, Any], ...]:
    entries: list[Mapping[str, Any]] = [
        {"kind": "dataset", "sha256": dataset.fingerprint, "images": len(dataset)},
    ]
    if config.start:
        start = read_model_info(config.start)
        parent = {"kind": "model", "sha256": start.sha256, "name": start.name, "licence": start.licence}
        entries += [{**parent, "nimg": start.nimg}, *start.lineage]
    return tuple(entries)
