"""A contact sheet of the judging prompts, drawn by the averaged weights of a training's last state."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from transformers import CLIPTokenizer

from engines.starters.text_to_image import flow
from engines.starters.text_to_image.autoencoder import Array, to_pictures
from engines.starters.text_to_image.prompts import judged
from engines.starters.text_to_image.running import Run
from engines.starters.text_to_image.state import load_state
from engines.starters.text_to_image.text import tokenize
from engines.starters.text_to_image.transformer import Model, load_parameters, load_tokenizer, load_vae

_COLUMNS = 10
_CELL = 128
_CAPTION = 44  # pixels under each picture
_BATCH = 10


def averaged_model(run: Run) -> tuple[Model, dict[str, Any]]:
    """The averaged weights of the last state, ready to generate on the CPU, and the state's numbers.

    Raises:
        FileNotFoundError: the second stage has no state yet.
    """
    saved = load_state(run.out / "transformer")
    if saved is None:
        raise FileNotFoundError(f"{run.out} holds no trained transformer yet. Train until its first state.")
    tensors, numbers = saved
    model = Model(load_tokenizer(run), plain_attention=False)
    load_parameters(dict(model.named_parameters()), tensors["ema"])
    return model.eval(), numbers


def draw_sheet(run: Run, path: Path, *, steps: int = 24) -> None:
    """Write the fifty pictures with their prompts to the PNG ``path``; picture i comes from seed i.

    Raises:
        FileNotFoundError: the second stage has no state yet.
    """
    model, numbers = averaged_model(run)
    vae, tokenizer = load_vae(run), load_tokenizer(run)
    captions = [item.prompt for item in judged()]
    side = numbers["size"] // 16
    pictures = [
        picture
        for start in range(0, len(captions), _BATCH)
        for picture in generate(
            model, vae, tokenizer, captions[start : start + _BATCH], side=side, seed=start, steps=steps
        )
    ]
    rows = -(-len(pictures) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * _CELL, rows * (_CELL + _CAPTION)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(10)
    for index, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        left, top = index % _COLUMNS * _CELL, index // _COLUMNS * (_CELL + _CAPTION)
        sheet.paste(Image.fromarray(picture).resize((_CELL, _CELL)), (left, top))
        draw.multiline_text((left + 3, top + _CELL + 2), _wrapped(caption), "black", font, spacing=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def generate(
    model: Model,
    vae: Any,
    tokenizer: CLIPTokenizer,
    captions: list[str],
    *,
    side: int,
    seed: int = 0,
    steps: int = 24,
) -> Array:
    """Pictures uint8 ``[N, 16 side, 16 side, 3]`` of ``captions``; picture i comes from seed ``seed + i``."""
    wanted, empty = (
        torch.from_numpy(tokenize(tokenizer, texts).astype(np.int64))
        for texts in (captions, [""] * len(captions))
    )
    seeds = range(seed, seed + len(captions))
    latents = flow.sample(
        model.transformer, model.encoders, (wanted, empty), side=side, seeds=seeds, steps=steps
    )
    with torch.no_grad():
        decoded = vae.decode(latents / vae.config.scaling_factor + vae.config.shift_factor).sample
    return to_pictures(decoded)


def _wrapped(caption: str, width: int = 24) -> str:
    lines = [""]
    for word in caption.split():
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)
