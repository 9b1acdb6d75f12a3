"""Turns a training's averaged weights into an ordinary diffusers folder that ``DiffusionPipeline`` opens."""

import functools
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline

from engines.diffusion.words import WORDS_FILE, Words, count_words, write_words
from engines.starters.text_to_image.autoencoder import save_autoencoder
from engines.starters.text_to_image.pool import PoolKind, compose_chunk
from engines.starters.text_to_image.running import Run
from engines.starters.text_to_image.sheet import averaged_model
from engines.starters.text_to_image.transformer import load_tokenizer, load_vae

_SHARD = "8MB"
_SYNONYMS = Path(__file__).with_name("synonyms.txt")
_COUNTED_CHUNKS = 128  # of 64 scenes: enough for the rarest thing to stand in some captions
_COUNTED_SEED = 10**7


def export(run: Run, folder: Path) -> int:
    """Write the pipeline folder (bf16, shards of at most 8 MB) and return its size in bytes.

    words.json in it lists the words of the captions it was trained on (`engines.diffusion.words`).

    The stock ``FluxPipeline`` expresses it whole. Its defaults suit FLUX.1, so callers say ``height=128``,
    ``width=128``, ``max_sequence_length=24``, ``negative_prompt=""`` and ``true_cfg_scale=4``.

    Raises:
        FileExistsError: ``folder`` is there already.
        FileNotFoundError: the second stage has no state yet.
        MissingSource: a drawing set is missing, without which its words cannot be counted.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} is there already. Name another folder or move it away.")
    model, _ = averaged_model(run)
    words = known_words(run)
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
    _forget_paths(fresh)
    write_words(fresh / WORDS_FILE, words)
    fresh.rename(folder)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def known_words(run: Run) -> Words:
    """The words in captions of scenes as this training has seen them, and what others mean about the same.

    Core concepts alone, until the training has begun with all of them.
    """
    everything = PoolKind(size=128, core_only=False, capacity=0)
    has_seen_all = (run.out / f"{everything.name}.bin").exists()
    kind = PoolKind(size=64, core_only=not has_seen_all, capacity=0)

    def captions() -> Iterator[str]:
        for number in range(_COUNTED_CHUNKS):
            yield from compose_chunk(run.images, kind, _COUNTED_SEED, number)[0]

    return Words(count_words(captions()), synonyms())


@functools.cache
def synonyms() -> Mapping[str, tuple[str, ...]]:
    """The table of `synonyms.txt`: what may be said for a word, best first; of several lines all, in turn."""
    table: dict[str, tuple[str, ...]] = {}
    for line in _SYNONYMS.read_text(encoding="utf-8").splitlines():
        others, sign, known = line.partition(" =")
        if sign and not line.startswith("#"):
            instead = tuple(known.strip().split(", ")) if known.strip() else ()
            table |= {other: table.get(other, ()) + instead for other in others.split()}
    return table


def _forget_paths(folder: Path) -> None:
    """Take the folders of this machine out of the configurations, where diffusers leaves them."""
    for path in folder.glob("*/config.json"):
        values = json.loads(path.read_text(encoding="utf-8"))
        if values.pop("_name_or_path", None) is not None:
            path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
