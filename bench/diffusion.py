"""How fast LoRAs are trained here, and pictures made with many of them.

python -m bench.diffusion [--quick] [--only SECTION ...] [--sdxl-share SHARE]

Training is compared with `bench.plain_dreambooth` on a base built like SD 1.5 at a tenth of its width, with
pictures of 256 pixels, batches of 4, rank 16 on attention. Pictures are made on a base like the shipped
starter: four in a batch against one by one, and eight with a LoRA each in one batch against one by one,
swapped between pictures by diffusers' `set_adapters`, or merged into the weights and taken out again. Bases
have random weights. Where there is a graphics card, a base of SDXL's size is trained and makes pictures, too
(`bench.work.sdxl`). All sides work in turns in one process of one thread; times are CPU seconds (on a
graphics card: seconds), of which medians are taken. What a click costs beyond the model is `bench.clicks`.
"""

import argparse
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor

from bench.plain_dreambooth import PlainDreamBooth
from bench.random_bases import make_stable_diffusion, make_starter
from bench.work.sdxl import measure_sdxl
from bench.work.sides import DEVICE, faster, interleaved, listed
from engines import hardware
from engines.diffusion.base import Base
from engines.diffusion.config import TrainConfig, TrainPicture
from engines.diffusion.folders import read_base
from engines.diffusion.generate import Sample, generate
from engines.diffusion.lora import add_lora, lora_layers, lora_parameters
from engines.diffusion.lora_files import LoraInfo, save_lora
from engines.diffusion.state import NAME, TrainState
from engines.diffusion.training_speed import speed_up, training_dtype
from engines.diffusion.updates import Updates
from engines.diffusion.views import encode_views
from engines.starters.drawings import write_family

TRAINED_SIDE, BATCH, RANK, PICTURES = 256, 4, 16, 8
SIDE = 128  # of pictures that are made
SHARE = 0.1  # of SD 1.5's width
LORAS = 8
STEPS, QUICK_STEPS = 12, 2  # of sampling
ROUNDS, QUICK_ROUNDS = 7, 1
TRAIN_ROUNDS, QUICK_TRAIN_ROUNDS = 15, 3
SECTIONS = ("training", "batch", "loras", "sdxl")
SDXL_SIDE = 1024


def measure_training(folder: Path, rounds: int) -> list[str]:
    """Steps a second of both loops on the same base and pictures."""
    paths = write_family("cats", folder / "pictures", count=PICTURES, size=2 * TRAINED_SIDE)
    base_folder = make_stable_diffusion(folder / "sd", SHARE)
    prompt = "a picture of zoxumi cat"
    config = TrainConfig(
        base=base_folder,
        run_dir=folder / "run",
        pictures=tuple(TrainPicture(path=path) for path in paths),
        keyword="zoxumi",
        class_word="cat",
        templates=("a picture of {keyword} {class_word}",),
        steps=10_000,
        batch=BATCH,
        rank=RANK,
        resolution=TRAINED_SIDE,
    )
    parameters = read_base(base_folder).parameters["unet"]
    base = Base.open(base_folder, device=DEVICE, dtype=training_dtype(base_folder, parameters, DEVICE))
    state = TrainState.create(base, config)
    speed_up(base, NAME)
    ours = Updates(config, state, encode_views(base, config))
    read: Any = StableDiffusionPipeline.from_pretrained
    pipeline: Any = read(base_folder, safety_checker=None)
    plain = PlainDreamBooth(
        pipeline.to(DEVICE), paths, prompt=prompt, side=TRAINED_SIDE, batch=BATCH, rank=RANK
    )
    seconds = interleaved({"ours": ours.step, "baseline": plain.step}, rounds)
    print(f"training: {base.dtype}, ".replace("torch.", "") + listed(seconds))
    return [faster("diffusion_training", seconds["ours"], seconds["baseline"], 1, "steps/s")]


def measure_batch(base: Base, rounds: int, steps: int) -> list[str]:
    """Four pictures at once and one by one."""
    samples = [Sample(prompt=f"a cat and {number} dogs", seed=number) for number in range(4)]

    def made(batch: int) -> Callable[[], object]:
        return lambda: generate(base, samples, width=SIDE, height=SIDE, steps=steps, batch=batch)

    seconds = interleaved({"ours": made(4), "baseline": made(1)}, rounds)
    print("four pictures: " + listed(seconds))
    return [faster("diffusion_batch4", seconds["ours"], seconds["baseline"], 4, "pictures/s")]


def measure_loras(base: Base, folder: Path, rounds: int, steps: int) -> list[str]:
    """Eight pictures with a LoRA each: in one batch, and one by one with adapters swapped or merged."""
    names = [f"lora{number}" for number in range(LORAS)]
    pipeline: Any = Base.open(base.info.folder, device=DEVICE).pipeline
    for number, name in enumerate(names):
        tensors = _random_lora(base, name, seed=number)
        save_lora(folder / f"{name}.safetensors", base, tensors, LoraInfo(title=name), dtype=torch.float32)
        pipeline.load_lora_weights(folder, weight_name=f"{name}.safetensors", adapter_name=name)
    samples = [Sample(prompt="a cat", seed=number, lora=name) for number, name in enumerate(names)]

    def swapped() -> None:
        for number, name in enumerate(names):
            pipeline.set_adapters(name)
            pipeline(
                "a cat",
                negative_prompt="",
                true_cfg_scale=base.family.default_guidance,
                width=SIDE,
                height=SIDE,
                num_inference_steps=steps,
                max_sequence_length=pipeline.tokenizer_2.model_max_length,
                generator=torch.Generator().manual_seed(number),
            )

    def merged() -> None:
        for number, name in enumerate(names):
            for _, layer in lora_layers(base):
                layer.merge(adapter_names=[name])
            bare = Sample(prompt="a cat", seed=number)
            generate(base, [bare], width=SIDE, height=SIDE, steps=steps)
            for _, layer in lora_layers(base):
                layer.unmerge()

    sides = {
        "ours": lambda: generate(base, samples, batch=LORAS, width=SIDE, height=SIDE, steps=steps),
        "swapped": swapped,
        "merged": merged,
    }
    seconds = interleaved(sides, rounds)
    print(f"{LORAS} LoRAs: " + listed(seconds))
    return [
        faster("diffusion_loras_swapped", seconds["ours"], seconds["swapped"], LORAS, "pictures/s"),
        faster("diffusion_loras_merged", seconds["ours"], seconds["merged"], LORAS, "pictures/s"),
    ]


def _random_lora(base: Base, name: str, *, seed: int) -> dict[str, Tensor]:
    """Put a LoRA with random weights into the base, and return its tensors."""
    rng = torch.Generator().manual_seed(seed)
    add_lora(base, name, rank=RANK, layers="all", text=False, rng=rng)
    parameters = lora_parameters(base, name)
    for parameter in parameters.values():
        parameter.data = (torch.randn(parameter.shape, generator=rng) * 0.02).to(base.device)
        parameter.requires_grad = False
    return {key: parameter.detach() for key, parameter in parameters.items()}


def main() -> None:
    """Run the comparisons and print their times, then one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer steps and rounds, within 45 seconds")
    parser.add_argument("--only", action="append", choices=SECTIONS, help="as often as you like")
    parser.add_argument(
        "--sdxl-share",
        type=float,
        default=1.0 if DEVICE.type == "cuda" else 0.0,
        metavar="SHARE",
        help="of SDXL's width (default: 1 on a graphics card, else 0, which leaves it out)",
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    hardware.tune_allocator()
    diffusers.utils.logging.disable_progress_bar()
    diffusers.utils.logging.set_verbosity_error()
    warnings.filterwarnings("ignore", "Already found a `peft_config`", UserWarning)
    sections = options.only or SECTIONS
    rounds, steps = (QUICK_ROUNDS, QUICK_STEPS) if options.quick else (ROUNDS, STEPS)
    figures: list[str] = []
    with tempfile.TemporaryDirectory(prefix="atelier-bench-") as name:
        folder = Path(name)
        if "training" in sections:
            figures += measure_training(folder, QUICK_TRAIN_ROUNDS if options.quick else TRAIN_ROUNDS)
        if {"batch", "loras"} & set(sections):
            base = Base.open(make_starter(folder / "starter"), device=DEVICE)
        if "batch" in sections:
            figures += measure_batch(base, rounds, steps)
        if "loras" in sections:
            figures += measure_loras(base, folder, rounds, steps)
        if "sdxl" in sections and options.sdxl_share:
            share = options.sdxl_share
            side = max(SDXL_SIDE // 16, int(share * SDXL_SIDE) // 64 * 64)
            figures += measure_sdxl(folder, share=share, side=side, rounds=rounds, steps=steps)
    print()
    print("\n".join(figures))


if __name__ == "__main__":
    main()
