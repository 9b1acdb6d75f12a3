"""The smoke test of a generator that somebody brought: it loads, and its pictures are pictures."""

from pathlib import Path

import torch
from PIL import Image

from engines import hardware
from engines.checkpoint import all_finite, load_tensors
from engines.errors import ModelError
from engines.images import grid
from engines.manifest import read_model_info
from engines.stylegan.generate import Generator

SEEDS = tuple(range(6))
COLUMNS = 3
TRUNCATION = 0.8


def try_generator(*, folder: str, sheet: str) -> dict[str, float]:
    """Make pictures of fixed seeds with a model folder and write them to `sheet`, a PNG. JSON in and out.

    Raises ModelError where weights are not numbers or the pictures show nothing.
    """
    torch.set_num_threads(1)
    hardware.tune_allocator()
    path = Path(folder)
    for name in read_model_info(path).files:
        if not all_finite(load_tensors(path / name)):
            raise ModelError("Its weights hold values that are not numbers: its training had failed.")
    images = Generator.load(path, threads=1).images(SEEDS, truncation_psi=TRUNCATION, batch_size=2)
    if float(images.std(axis=(1, 2)).max()) < 1:
        raise ModelError("Its images are of one flat colour: its weights are broken. Get the file again.")
    Image.fromarray(grid(images, columns=COLUMNS)).save(sheet)
    return {"images": len(images)}
