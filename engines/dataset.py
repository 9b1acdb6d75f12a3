"""Prepared datasets: pictures cropped and resized once into one memory-mapped array.

On disk a prepared dataset is a folder: `images.u8` (the raw bytes of uint8 `[N, H, W, 3]`) and `index.json`.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from engines.crops import Box, CropMode, training_boxes
from engines.errors import DatasetError
from engines.files import atomic_folder, sha256_file
from engines.images import UInt8Array, cut_squares, load_rgb

FORMAT = 1
IMAGES_FILE = "images.u8"
INDEX_FILE = "index.json"


@dataclass(frozen=True)
class Refusal:
    """A picture that was left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class PreparedDataset:
    """A prepared dataset on disk. `images` maps the file on first use and stays read-only."""

    path: Path
    resolution: int
    fingerprint: str  # SHA-256 over the pictures' contents and their crops
    names: tuple[str, ...]  # one for each of the N images; a picture cut several times occurs several times
    refused: tuple[Refusal, ...] = ()

    @classmethod
    def open(cls, path: Path) -> "PreparedDataset":
        """Open a folder that `prepare` made. Raises DatasetError if it is missing or incomplete."""
        try:
            index = json.loads((path / INDEX_FILE).read_text(encoding="utf-8"))
            dataset = cls(
                path=path,
                resolution=index["resolution"],
                fingerprint=index["fingerprint"],
                names=tuple(index["names"]),
                refused=tuple(Refusal(**refusal) for refusal in index["refused"]),
            )
            complete = (path / IMAGES_FILE).stat().st_size == dataset.nbytes
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DatasetError(f"{path} holds no prepared dataset. Prepare the pictures again.") from error
        if not complete:
            raise DatasetError(f"The prepared dataset in {path} is incomplete. Prepare the pictures again.")
        return dataset

    def __len__(self) -> int:
        return len(self.names)

    @property
    def nbytes(self) -> int:
        """Size of the array on disk."""
        return len(self) * self.resolution**2 * 3

    @property
    def images(self) -> UInt8Array:
        """uint8 `[N, H, W, 3]`, memory-mapped read-only."""
        shape = (len(self), self.resolution, self.resolution, 3)
        return np.memmap(self.path / IMAGES_FILE, dtype=np.uint8, mode="r", shape=shape)


def prepare(
    pictures: Iterable[tuple[str, Path]],
    out: Path,
    *,
    resolution: int,
    crop: CropMode,
    seed: int = 0,
    crops: Mapping[str, CropMode] | None = None,
    boxes: Mapping[str, Box] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> PreparedDataset:
    """Crop and resize `pictures` (name, path) to `resolution` and keep them in the folder `out`.

    `crops` and `boxes` override the crop of single pictures, whose names must then be unique; a box goes
    before both. `on_progress(done, total)` is called after each picture. A picture that cannot be decoded is
    left out and listed in `refused`. The folder appears complete or not at all; one already there is kept
    when it was made from the same contents and crops, and replaced otherwise.

    Raises DatasetError when no picture is usable.
    """
    jobs = list(pictures)
    crops, boxes = crops or {}, boxes or {}
    fingerprint = _fingerprint(jobs, resolution=resolution, crop=crop, seed=seed, crops=crops, boxes=boxes)
    existing = _existing(out, fingerprint)
    if existing is not None:
        return existing
    names: list[str] = []
    refused: list[Refusal] = []
    with atomic_folder(out) as folder:
        with (folder / IMAGES_FILE).open("wb") as images_file:
            for done, (name, path) in enumerate(jobs, start=1):
                try:
                    image = load_rgb(path)
                except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
                    refused.append(Refusal(name, f"This file cannot be read as a picture ({error})."))
                else:
                    mode, box = crops.get(name, crop), boxes.get(name)
                    cuts = training_boxes(*image.size, mode, box=box, seed=seed, name=name)
                    images_file.write(cut_squares(image, cuts, resolution).tobytes())
                    names += [name] * len(cuts)
                if on_progress is not None:
                    on_progress(done, len(jobs))
        if not names:
            raise DatasetError(
                "None of the pictures can be used. Add pictures as JPEG, PNG or WebP and try again."
            )
        dataset = PreparedDataset(
            path=out,
            resolution=resolution,
            fingerprint=fingerprint,
            names=tuple(names),
            refused=tuple(refused),
        )
        _write_index(folder, dataset)
    return dataset


def _existing(out: Path, fingerprint: str) -> PreparedDataset | None:
    try:
        dataset = PreparedDataset.open(out)
    except DatasetError:
        return None
    return dataset if dataset.fingerprint == fingerprint else None


def _write_index(folder: Path, dataset: PreparedDataset) -> None:
    index = {
        "format": FORMAT,
        "resolution": dataset.resolution,
        "fingerprint": dataset.fingerprint,
        "names": dataset.names,
        "refused": [asdict(refusal) for refusal in dataset.refused],
    }
    (folder / INDEX_FILE).write_text(json.dumps(index), encoding="utf-8")


def _fingerprint(
    jobs: list[tuple[str, Path]],
    *,
    resolution: int,
    crop: CropMode,
    seed: int,
    crops: Mapping[str, CropMode],
    boxes: Mapping[str, Box],
) -> str:
    is_random = "random" in {crop, *crops.values()}
    digest = hashlib.sha256(json.dumps([FORMAT, resolution, crop, seed if is_random else 0]).encode())
    for name, path in jobs:
        content = sha256_file(path) if path.is_file() else "missing"
        digest.update(json.dumps([name, content, boxes.get(name) or crops.get(name)]).encode())
    return digest.hexdigest()
