"""A base of SDXL's size with random weights: training steps and pictures, and the memory that both take."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionXLPipeline

from bench.plain_dreambooth import PlainDreamBoothXL
from bench.random_bases import make_sdxl
from bench.work.sides import DEVICE, faster, interleaved, listed
from engines import hardware
from engines.diffusion.base import Base
from engines.diffusion.config import TrainConfig, TrainPicture
from engines.diffusion.generate import Sample, generate
from engines.diffusion.state import NAME, TrainState
from engines.diffusion.training_speed import speed_up
from engines.diffusion.updates import Updates
from engines.diffusion.views import encode_views
from engines.starters.drawings import write_family

BATCH, RANK, PICTURES = 1, 16, 8
AT_ONCE = 4
PROMPT = "a picture of zoxumi cat"
GIBIBYTE = 1 << 30


def measure_sdxl(folder: Path, *, share: float, side: int, rounds: int, steps: int) -> list[str]:
    """Both loops on one base, then four pictures at once against the pipeline of diffusers, one by one."""
    base_folder = make_sdxl(folder / "sdxl", share, DEVICE)
    paths = write_family("cats", folder / "pictures-sdxl", count=PICTURES, size=side)
    precision = hardware.compute_dtype("auto", DEVICE)
    figures = _training(base_folder, paths, side, precision, rounds)
    hardware.free_memory(DEVICE)
    return figures + _pictures(base_folder, side, precision, rounds, steps)


def _training(
    base_folder: Path, paths: list[Path], side: int, precision: torch.dtype, rounds: int
) -> list[str]:
    config = TrainConfig(
        base=base_folder,
        run_dir=base_folder.with_name("sdxl-run"),
        pictures=tuple(TrainPicture(path=path) for path in paths),
        keyword="zoxumi",
        class_word="cat",
        templates=("a picture of {keyword} {class_word}",),
        steps=10_000,
        batch=BATCH,
        rank=RANK,
        resolution=side,
    )
    base = Base.open(base_folder, device=DEVICE, dtype=precision)
    state = TrainState.create(base, config)
    speed_up(base, NAME)
    ours = Updates(config, state, encode_views(base, config))
    own = _allocated()
    read: Any = StableDiffusionXLPipeline.from_pretrained
    pipeline = read(base_folder, add_watermarker=False, torch_dtype=torch.float32).to(DEVICE)
    plain = PlainDreamBoothXL(pipeline, paths, prompt=PROMPT, side=side, batch=BATCH, rank=RANK)
    others = _allocated() - own
    seconds = interleaved({"ours": ours.step, "baseline": plain.step}, rounds)
    print(f"SDXL, training: {base.dtype}, ".replace("torch.", "") + listed(seconds))
    figures = [faster("diffusion_sdxl_training", seconds["ours"], seconds["baseline"], BATCH, "steps/s")]
    return figures + _memory("training", (ours.step, others), (plain.step, own))


def _pictures(base_folder: Path, side: int, precision: torch.dtype, rounds: int, steps: int) -> list[str]:
    base = Base.open(base_folder, device=DEVICE, dtype=precision)
    samples = [Sample(prompt=PROMPT, seed=seed) for seed in range(AT_ONCE)]
    own = _allocated()
    read: Any = StableDiffusionXLPipeline.from_pretrained
    pipeline = read(base_folder, add_watermarker=False, torch_dtype=precision).to(DEVICE)
    pipeline.set_progress_bar_config(disable=True)
    others = _allocated() - own

    def together() -> None:
        generate(base, samples, width=side, height=side, steps=steps, batch=AT_ONCE)

    def one_by_one() -> None:
        for sample in samples:
            rng = torch.Generator().manual_seed(sample.seed)
            pipeline(PROMPT, width=side, height=side, num_inference_steps=steps, generator=rng)

    seconds = interleaved({"ours": together, "baseline": one_by_one}, rounds)
    print(f"SDXL, {AT_ONCE} pictures in {steps} steps: " + listed(seconds))
    figures = [faster("diffusion_sdxl_pictures", seconds["ours"], seconds["baseline"], AT_ONCE, "pictures/s")]
    return figures + _memory("pictures", (together, others), (one_by_one, own))


def _memory(
    name: str, ours: tuple[Callable[[], object], int], baseline: tuple[Callable[[], object], int]
) -> list[str]:
    """The most that each side takes of the card, without what the other keeps there; nothing without one."""
    if DEVICE.type != "cuda":
        return []
    peaks = []
    for work, kept_by_other in (ours, baseline):
        torch.cuda.reset_peak_memory_stats()
        work()
        peaks.append((torch.cuda.max_memory_allocated() - kept_by_other) / GIBIBYTE)
    values = f"ours={peaks[0]:.2f}, baseline={peaks[1]:.2f}, GiB"
    return [f"diffusion_sdxl_{name}_memory ratio={peaks[0] / peaks[1]:.2f} ({values})"]


def _allocated() -> int:
    return torch.cuda.memory_allocated() if DEVICE.type == "cuda" else 0
