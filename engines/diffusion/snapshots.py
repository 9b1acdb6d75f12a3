"""What a LoRA training leaves behind: LoRA files with a grid of fixed prompts, and grids alone."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from engines.diffusion.config import TrainConfig
from engines.diffusion.folders import KOHYA_FAMILIES
from engines.diffusion.generate import Sample, generate
from engines.diffusion.lora_files import LoraInfo, save_lora
from engines.diffusion.manifests import KOHYA_FILE, LORA_FILE
from engines.diffusion.state import NAME, TrainState
from engines.files import atomic_folder
from engines.images import grid, sheet_columns
from engines.progress import Snapshot
from engines.provenance import Provenance, write_png

SNAPSHOTS, SAMPLES = "snapshots", "samples"
GRID_FILE, STATS_FILE = "grid.png", "stats.json"


def write_snapshot(config: TrainConfig, state: TrainState, stats: Mapping[str, float]) -> Snapshot:
    """Write run_dir/snapshots/<step>: the averaged LoRA, its grid and stats; the oldest go.

    Where its family has names of kohya's, the LoRA is written in these too.
    """
    target = config.run_dir / SNAPSHOTS / f"{state.step:06d}"
    info = LoraInfo(
        title=config.name or config.keyword,
        author=config.author,
        licence=config.licence,
        trigger_phrase=config.keyword,
        resolution=config.resolution or state.base.resolution,
    )
    with atomic_folder(target) as folder:
        save_lora(folder / LORA_FILE, state.base, state.average, info)
        if state.base.family.name in KOHYA_FAMILIES:
            save_lora(folder / KOHYA_FILE, state.base, state.average, info, naming="kohya")
        _write_grid_and_stats(folder, config, state, stats)
    for older in sorted(target.parent.glob("[0-9]*"))[: -config.snapshots_kept]:
        shutil.rmtree(older)
    return _snapshot(target, config, state, stats)


def write_sample(config: TrainConfig, state: TrainState, stats: Mapping[str, float]) -> Snapshot:
    """Write run_dir/samples/<step>: the grid alone."""
    target = config.run_dir / SAMPLES / f"{state.step:06d}"
    with atomic_folder(target) as folder:
        _write_grid_and_stats(folder, config, state, stats)
    return _snapshot(target, config, state, stats, is_sample=True)


def latest_snapshot(run_dir: Path) -> Snapshot | None:
    """The last snapshot in a training's folder, or None."""
    folders = sorted((run_dir / SNAPSHOTS).glob(f"[0-9]*/{STATS_FILE}"))
    if not folders:
        return None
    folder = folders[-1].parent
    stats = json.loads(folders[-1].read_text(encoding="utf-8"))
    step, nimg = stats.pop("step"), stats.pop("nimg")
    return Snapshot(folder=folder, grid=folder / GRID_FILE, step=step, nimg=nimg, stats=stats)


def sample_grid(config: TrainConfig, state: TrainState) -> Image.Image:
    """The fixed prompts with fixed seeds, made with the averaged weights."""
    side = (config.resolution or state.base.resolution) // state.base.multiple * state.base.multiple
    samples = [
        Sample(prompt=config.filled(prompt), seed=number, lora=NAME)
        for number, prompt in enumerate(config.sample_prompts)
    ]
    state.swap_average()
    try:
        pictures = generate(state.base, samples, width=side, height=side, steps=config.sample_steps)
    finally:
        state.swap_average()
    return Image.fromarray(grid(np.stack(pictures), columns=sheet_columns(len(pictures))))


def _write_grid_and_stats(
    folder: Path, config: TrainConfig, state: TrainState, stats: Mapping[str, float]
) -> None:
    record = Provenance(settings={"Training step": state.step})
    write_png(sample_grid(config, state), folder / GRID_FILE, record)
    values = {"step": state.step, "nimg": state.step * config.batch, **stats}
    (folder / STATS_FILE).write_text(json.dumps(values, indent=2), encoding="utf-8")


def _snapshot(
    folder: Path,
    config: TrainConfig,
    state: TrainState,
    stats: Mapping[str, float],
    *,
    is_sample: bool = False,
) -> Snapshot:
    return Snapshot(
        folder=folder,
        grid=folder / GRID_FILE,
        step=state.step,
        nimg=state.step * config.batch,
        stats=dict(stats),
        is_sample=is_sample,
    )
