"""The smoke tests of LoRAs and bases that somebody brought: they load, fit, and make pictures."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from engines import hardware
from engines.checkpoint import all_finite
from engines.diffusion.base import Base
from engines.diffusion.generate import Sample, generate
from engines.diffusion.lora import load_lora
from engines.diffusion.lora_files import LoraInfo, read_lora, save_lora
from engines.diffusion.manifests import KOHYA_FILE, LORA_FILE, base_resolution
from engines.errors import ModelError
from engines.images import UInt8Array, grid

SEED = 0
PROMPT = "a red cat on a meadow"
STEPS = 6  # enough to see that something comes out; not meant to be beautiful
MAX_SIDE = 256
_HALF_MAX = torch.finfo(torch.float16).max


def try_lora(
    *, base: str, source: str, target: str, sheet: str, info: dict[str, str], prompt: str
) -> dict[str, float]:
    """Fit a LoRA's file to a base, write it anew below `target` and make a picture with it and one without.

    `target` gets `lora.safetensors` in diffusers' names, and once more in kohya's where other programs know
    such bases. `info` are fields of `LoraInfo`. JSON in and out. Raises ModelError where it does not fit.
    """
    opened = _open(base)
    lora = read_lora(Path(source), opened, relatives=True)
    if not all_finite(lora.tensors):
        raise ModelError("Its weights hold values that are not numbers: its training had failed.")
    told = LoraInfo(**info, resolution=opened.resolution)
    largest = max(float(tensor.abs().max()) for tensor in lora.tensors.values())
    dtype = torch.float16 if largest < _HALF_MAX else torch.float32
    save_lora(Path(target) / LORA_FILE, opened, lora.tensors, told, dtype=dtype)
    if opened.family.kohya:
        save_lora(Path(target) / KOHYA_FILE, opened, lora.tensors, told, naming="kohya", dtype=dtype)
    load_lora(opened, "tried", lora.tensors, keyword=told.trigger_phrase)
    made = _pictures(
        opened,
        [Sample(prompt=prompt, seed=SEED, lora="tried"), Sample(prompt=prompt, seed=SEED, lora=None)],
    )
    _save(made, sheet)
    return {"images": len(made)}


def try_base(*, folder: str, sheet: str, prompt: str = PROMPT) -> dict[str, float]:
    """Load a base and make a picture with it. JSON in and out. Raises ModelError where it cannot."""
    opened = _open(folder)
    for name, part in opened.adaptable.items():
        if not all_finite(dict(part.named_parameters())):
            raise ModelError(f"The weights of its {name} hold values that are not numbers. Get it again.")
    made = _pictures(opened, [Sample(prompt=prompt, seed=SEED)])
    _save(made, sheet)
    return {"images": len(made)}


def _open(folder: str) -> Base:
    torch.set_num_threads(1)
    hardware.tune_allocator()
    return Base.open(Path(folder), dtype=hardware.compute_dtype("auto", torch.device("cpu")))


def _pictures(base: Base, samples: list[Sample]) -> list[UInt8Array]:
    side = min(base_resolution(base.info), MAX_SIDE) // base.multiple * base.multiple or base.multiple
    pictures = generate(base, samples, width=side, height=side, steps=STEPS, batch=1)
    for picture in pictures:
        if float(picture.std()) < 1:
            raise ModelError("Its picture is of one flat colour: its weights are broken. Get the file again.")
    return pictures


def _save(pictures: list[UInt8Array], sheet: str) -> None:
    Image.fromarray(grid(np.stack(pictures), columns=len(pictures))).save(sheet)
