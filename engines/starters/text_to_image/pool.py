"""Scenes encoded once and drawn from many times: a ring of latents with their captions' tokens on disk.

Encoding a scene costs a fifth of a training step on it, so the transformer learns from a pool that is
renewed bit by bit. Scene number ``n`` is composed from the seed and ``n`` alone, whoever composes it; a
kill while a record is being written spoils at most that record, which is soon renewed.
"""

import dataclasses
import functools
import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import CLIPTokenizer

from engines import hardware
from engines.starters.text_to_image import prompts
from engines.starters.text_to_image.autoencoder import FACTOR, LATENT_CHANNELS, to_tensor
from engines.starters.text_to_image.scenes import Composer, half
from engines.starters.text_to_image.sources import read_drawings
from engines.starters.text_to_image.text import LENGTH, tokenize

Array = npt.NDArray[np.uint8]

_CHUNK = 64  # scenes composed from one seed


@dataclasses.dataclass(frozen=True, kw_only=True)
class PoolKind:
    """What a pool holds: ``capacity`` pictures, ``size`` pixels a side, of core concepts alone or of all."""

    size: int
    core_only: bool
    capacity: int

    @property
    def name(self) -> str:
        """Stem of the pool's file."""
        return f"pool_{self.size}_{'core' if self.core_only else 'all'}"


def compose_chunk(images: Path, kind: PoolKind, seed: int, number: int) -> tuple[list[str], Array]:
    """Chunk ``number`` of an endless row of scenes: captions and pictures ``[64, size, size, 3]``."""
    composer = _composer(images, kind.core_only)
    rng = np.random.default_rng([seed, number])
    scenes = [composer.scene(rng) for _ in range(_CHUNK)]
    pixels = np.stack([scene.pixels for scene in scenes])
    while pixels.shape[1] > kind.size:
        pixels = half(pixels)
    return [scene.caption for scene in scenes], pixels


@functools.cache
def _composer(images: Path, core_only: bool) -> Composer:
    return Composer(read_drawings(images), excluded=prompts.kept_apart(), core_only=core_only)


class LatentPool:
    """The ring itself.

    Args:
        folder: where its file lies.
        images: folder of the drawing sets.
        kind: what it holds.
        vae: the finished autoencoder; latents are normalized with its scaling and shift.
        tokenizer: for the captions.
        workers: processes that compose scenes; 0 composes in this one.
    """

    def __init__(
        self,
        folder: Path,
        images: Path,
        kind: PoolKind,
        *,
        vae: Any,
        tokenizer: CLIPTokenizer,
        workers: int = 0,
        seed: int = 0,
    ) -> None:
        side = kind.size // FACTOR
        record = np.dtype(
            [("tokens", np.int16, LENGTH), ("latents", np.float16, (LATENT_CHANNELS, side, side))]
        )
        self._path = folder / f"{kind.name}.bin"
        self.fresh = not self._path.exists()  # whether a new file was begun
        self._ring = np.memmap(self._path, record, "w+" if self.fresh else "r+", shape=(kind.capacity,))
        self._images, self._kind, self._seed = images, kind, seed
        self._vae, self._tokenizer = vae, tokenizer
        self._workers = workers
        self._chunks: Iterator[tuple[list[str], Array]] | None = None
        self.written = 0  # scenes ever written; kept in the training's state

    def fill(self, count: int) -> None:
        """Renew scenes until ``count`` were ever written."""
        while self.written < count:
            self._renew()

    def renew_towards(self, count: float) -> None:
        """Write the next chunk if fewer than ``count`` scenes were ever written."""
        if self.written < count:
            self._renew()

    def batch(self, rng: np.random.Generator, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Random tokens ``[count, LENGTH]`` and normalized latents ``[count, C, side, side]``."""
        filled = min(self.written, self._kind.capacity)
        records = self._ring[np.sort(rng.integers(0, filled, count))]
        tokens = torch.from_numpy(records["tokens"].astype(np.int64))
        return tokens, torch.from_numpy(records["latents"].astype(np.float32))

    def _renew(self) -> None:
        if self._chunks is None:
            self._chunks = self._composed(self.written // _CHUNK)
        captions, pixels = next(self._chunks)
        slots = np.arange(self.written, self.written + len(captions)) % self._kind.capacity
        self._ring["tokens"][slots] = tokenize(self._tokenizer, captions)
        self._ring["latents"][slots] = encode(self._vae, pixels).cpu().numpy().astype(np.float16)
        self.written += len(captions)

    def _composed(self, first: int) -> Iterator[tuple[list[str], Array]]:
        compose = functools.partial(compose_chunk, self._images, self._kind, self._seed)
        numbers = range(first, 2**40)
        if not self._workers:
            yield from map(compose, numbers)
            return
        with multiprocessing.get_context("spawn").Pool(self._workers) as helpers:
            ahead = 4 * self._workers
            waiting = [helpers.apply_async(compose, (number,)) for number in numbers[:ahead]]
            for number in numbers[ahead:]:
                yield waiting.pop(0).get()
                waiting.append(helpers.apply_async(compose, (number,)))


@torch.no_grad()
def encode(vae: Any, pixels: Array) -> torch.Tensor:
    """Pictures uint8 ``[N, H, W, 3]`` to normalized latents ``[N, C, H/8, W/8]``, fp32."""
    pictures = to_tensor(pixels, vae.device.type).contiguous(memory_format=torch.channels_last)
    with hardware.mixed_precision(vae.device):
        latents: torch.Tensor = vae.encode(pictures).latents
    normalized: torch.Tensor = (latents.float() - vae.config.shift_factor) * vae.config.scaling_factor
    return normalized
