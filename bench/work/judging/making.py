"""Training the LoRAs that are judged, and the pictures that they and their base make."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from bench.work.judging.subjects import Subject
from engines.diffusion.base import Base
from engines.diffusion.config import TrainPicture, preset_for
from engines.diffusion.folders import read_base
from engines.diffusion.generate import Sample, generate
from engines.diffusion.manifests import LORA_FILE
from engines.diffusion.shelf import LoraShelf
from engines.diffusion.snapshots import latest_snapshot
from engines.diffusion.train import train
from engines.images import UInt8Array
from engines.progress import TerminalHost

_SHELF_BYTES = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A LoRA's file, and the minutes that its training took in this call."""

    file: Path
    minutes: float


def train_subject(
    subject: Subject, base: Path, folder: Path, *, threads: int = 1, steps: int | None = None
) -> Trained:
    """Train as the studio does, by the preset of the subject's kind; one that is finished stays as it is.

    Effect: writes the pictures and the run into `folder`, and goes on from there when it is called again.
    """
    info = read_base(base)
    size = next(info.parameters[part] for part in ("transformer", "unet") if part in info.parameters)
    chosen = {} if steps is None else {"steps": steps, "snapshot_every": steps}
    config = preset_for(subject.kind, size).config(
        base=base,
        run_dir=folder / "run",
        pictures=tuple(TrainPicture(path=path) for path in _written(subject.pictures, folder / "pictures")),
        keyword=subject.keyword,
        class_word=subject.class_word,
        name=subject.name,
        threads=threads,
        **chosen,
    )
    began = time.perf_counter()
    found = latest_snapshot(config.run_dir)
    if found is None or found.step < config.steps:
        found = train(config, TerminalHost()).snapshot
    assert found is not None
    return Trained(file=found.folder / LORA_FILE, minutes=(time.perf_counter() - began) / 60)


class Maker:
    """A base that makes pictures of its own size, with one of several LoRAs or none."""

    def __init__(self, folder: Path, *, steps: int | None = None) -> None:
        self._base = Base.open(folder)
        self._shelf = LoraShelf(self._base, capacity_bytes=_SHELF_BYTES)
        self._steps = steps
        self.side: int = self._base.resolution

    def make(self, prompts: Sequence[str], lora: Path | None = None) -> list[UInt8Array]:
        """Pictures uint8 `[side, side, 3]`; the i-th comes from seed i, whatever the LoRA."""
        name = self._shelf.names([lora])[0] if lora else None
        samples = [Sample(prompt=prompt, seed=seed, lora=name) for seed, prompt in enumerate(prompts)]
        return generate(self._base, samples, width=self.side, height=self.side, steps=self._steps)


def set_threads(threads: int) -> None:
    """Say how many threads making pictures may use."""
    torch.set_num_threads(threads)


def squares(pictures: Sequence[UInt8Array], side: int) -> UInt8Array:
    """The middle of each picture as a square: uint8 `[N, side, side, 3]`."""
    cut = []
    for picture in pictures:
        short = min(picture.shape[:2])
        top, left = (picture.shape[0] - short) // 2, (picture.shape[1] - short) // 2
        image = Image.fromarray(picture[top : top + short, left : left + short])
        cut.append(np.asarray(image.resize((side, side), Image.Resampling.LANCZOS)))
    return np.stack(cut)


def _written(pictures: Sequence[UInt8Array], folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:02d}.png" for number in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture).save(path)
    return paths
