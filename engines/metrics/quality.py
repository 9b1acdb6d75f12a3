"""The quality figures of a training: generated pictures against the training's own, by several measures.

What belongs to the training pictures is worked out once and kept beside the prepared dataset. Names and
meanings of the figures are in `engines.metrics.names`.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from engines.dataset import PreparedDataset
from engines.images import FloatArray, UInt8Array
from engines.metrics import names
from engines.metrics.distance import MIN_SAMPLES, diversity, frechet, kernel_distance
from engines.metrics.features import CPU, features
from engines.metrics.patches import patch_slices, sliced_wasserstein

CACHE_FILE = "quality.safetensors"
MIN_SIDE = 16  # pixels; what the features and the patches need
VERSION = 1  # of the figures; another one makes kept references worthless
SEED = 0  # which training pictures are taken: the same ones in every training, so that figures compare


@dataclass(frozen=True)
class Description:
    """What is compared of `[N]` images: `features` float32 `[N, D]` and `slices` of `patch_slices`."""

    features: FloatArray
    slices: FloatArray

    @classmethod
    def of(cls, images: UInt8Array, device: torch.device = CPU) -> "Description":
        """Describe uint8 `[N, R, R, 3]`."""
        return cls(features(images, device), patch_slices(images, device))

    def distances(self, other: "Description") -> dict[str, float]:
        """The figures that compare two sets."""
        return {
            "distance": frechet(other.features, self.features),
            "kernel_distance": kernel_distance(other.features, self.features),
            "sliced_wasserstein": sliced_wasserstein(other.slices, self.slices),
        }


@dataclass(frozen=True)
class Reference:
    """Training pictures to compare with; `floors` are the figures of as many others of them.

    A perfect generator comes down to the floors. The two sets have no picture in common.
    """

    real: Description
    floors: Mapping[str, float]

    @classmethod
    def of(
        cls, dataset: PreparedDataset, *, samples: int, mirror: bool, device: torch.device = CPU
    ) -> "Reference | None":
        """At most `samples` pictures and as many others; None where they are too few or too small.

        With `mirror` a random half of them is reversed, as in training. Effect: keeps the result in the
        dataset's folder, if that can be written.
        """
        count = min(samples, len(dataset) // 2)
        if count < MIN_SAMPLES or dataset.resolution < MIN_SIDE:
            return None
        identity = json.dumps([VERSION, dataset.fingerprint, count, mirror])
        path = dataset.path / CACHE_FILE
        kept = _read(path, identity)
        if kept is not None:
            return kept
        rng = np.random.default_rng(SEED)
        images = np.array(dataset.images[rng.permutation(len(dataset))[: 2 * count]])
        if mirror:
            flipped = rng.random(2 * count) < 0.5
            images[flipped] = images[flipped, :, ::-1]
        real, others = (Description.of(images[half], device) for half in np.split(np.arange(2 * count), 2))
        floors = {f"{key}_floor": value for key, value in real.distances(others).items()}
        reference = cls(real, {**floors, "diversity_real": diversity(real.features)})
        with contextlib.suppress(OSError):  # a dataset that others look after is measured anew each time
            reference.write(path, identity)
        return reference

    @property
    def samples(self) -> int:
        """How many pictures there are, and how many generated ones are to be compared with them."""
        return len(self.real.features)

    def measure(self, images: UInt8Array, device: torch.device = CPU) -> dict[str, float]:
        """All figures of generated images, uint8 `[samples, R, R, 3]`, by the keys of `names.FIGURES`."""
        ours = Description.of(images, device)
        figures = self.real.distances(ours) | {"diversity": diversity(ours.features)}
        return {names.SAMPLES: float(self.samples), **figures, **self.floors}

    def write(self, path: Path, key: str) -> None:
        """Keep the reference in a file under `key`, complete or not at all."""
        draft = path.with_suffix(f".{os.getpid()}.part")
        metadata = {"key": key, "floors": json.dumps(self.floors)}
        try:
            save_file({"features": self.real.features, "slices": self.real.slices}, draft, metadata)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def _read(path: Path, key: str) -> Reference | None:
    """The reference kept under `key`, or None."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("key") != key:
                return None
            real = Description(file.get_tensor("features"), file.get_tensor("slices"))
            return Reference(real, json.loads(metadata["floors"]))
    except (OSError, SafetensorError):
        return None
