"""Turns a training's averaged weights into an ordinary diffusers folder that ``DiffusionPipeline`` opens."""

import shutil
from pathlib import Path
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline

from engines.starters.text_to_image.autoencoder import save_autoencoder
from engines.starters.text_to_image.running import Run
from engines.starters.text_to_image.sheet import averaged_model
from engines.starters.text_to_image.transformer import load_tokenizer, load_vae

_SHARD = "8MB"


def export(run: Run, folder: Path) -> int:
    """Write the pipeline folder (bf16, shards of at most 8 MB) and return its size in bytes.

    The stock ``FluxPipeline`` expresses it whole. Its defaults suit FLUX.1, so callers say ``height=128``,
    ``width=128``, ``max_sequence_length=24``, ``negative_prompt=""`` and ``true_cfg_scale=4``.

    Raises:
        FileExistsError: ``folder`` is there already.
        FileNotFoundError: the second stage has no state yet.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} is there already. Name another folder or move it away.")
    model, _ = averaged_model(run)
    tokenizer = load_tokenizer(run)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=1.0)  # type: ignore[no-untyped-call]
    pipeline: Any = FluxPipeline(  # type: ignore[no-untyped-call]
        scheduler=scheduler,
        vae=load_vae(run).to(torch.bfloat16),
        text_encoder=model.encoders.pooled.to(torch.bfloat16),
        tokenizer=tokenizer,
        text_encoder_2=model.encoders.tokens.to(torch.bfloat16),
        tokenizer_2=tokenizer,
        transformer=model.transformer.to(torch.bfloat16),
    )
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    pipeline.save_pretrained(fresh, max_shard_size=_SHARD)
    save_autoencoder(pipeline.vae, fresh / "vae")
    fresh.rename(folder)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
