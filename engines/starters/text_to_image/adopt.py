"""Begins a training with the weights of an exported base: what it takes to go on where no state is left."""

from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline

from engines.starters.text_to_image.autoencoder import save_autoencoder
from engines.starters.text_to_image.running import Randomness, Run
from engines.starters.text_to_image.state import save_state
from engines.starters.text_to_image.transformer import Model


def adopt(run: Run, base: Path, *, seen: int, size: int = 128) -> None:
    """Write the state of a training that has these weights and has seen ``seen`` images of ``size`` pixels.

    Optimizers begin anew; scenes are others than those of a training from the start.

    Raises:
        FileExistsError: a training lies in ``run.out`` already.
    """
    folder = run.out / "transformer"
    if folder.exists():
        raise FileExistsError(f"{folder} is there already. Name another folder with --out.")
    run.out.mkdir(parents=True, exist_ok=True)
    opened: Any = DiffusionPipeline
    pipeline = opened.from_pretrained(base, dtype=torch.float32)
    save_autoencoder(pipeline.vae, run.out / "vae")
    pipeline.tokenizer.save_pretrained(run.out / "tokenizer")
    model = Model(pipeline.tokenizer, plain_attention=False)
    model.transformer = pipeline.transformer
    model.encoders.pooled, model.encoders.tokens = pipeline.text_encoder, pipeline.text_encoder_2
    randomness = Randomness(seen)
    numbers = {"step": 0, "seen": seen, "written": {}, "scenes": seen, "size": size}
    numbers["random"] = randomness.numbers()
    save_state(folder, {"ema": dict(model.named_parameters()), "random": randomness.tensors()}, numbers)
