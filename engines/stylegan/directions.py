"""Directions of W along which pictures change most: the sliders and the axes of maps.

GANSpace (2004.02546) takes the principal components of many w; SeFa (2007.06600) the directions to which the
weights of the layers react most, without a sample. Either way a direction's unit is one standard deviation of
w along it, so that the same strength means as much for each.
"""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from engines.errors import ConfigError
from engines.stylegan.generate import Generator
from engines.stylegan.networks import FullyConnected

Method = Literal["pca", "sefa"]

SAMPLES = 10_000  # w that principal components and deviations rest on
SEED = 9005
KEPT = 64  # directions, at most; of a small W as many as there are
VERSION = 1  # of how directions are found; another one makes kept files worthless


@dataclass(frozen=True)
class Directions:
    """K directions, the strongest first, each with the sign that makes its largest number positive.

    float32: `basis` `[K, w_dim]`, orthonormal rows; `deviations` `[K]` of w along them; `mean` `[w_dim]`.
    """

    basis: Tensor
    deviations: Tensor
    mean: Tensor

    def __len__(self) -> int:
        return len(self.basis)

    @classmethod
    def of(cls, generator: Generator, *, method: Method = "pca", folder: Path | None = None) -> "Directions":
        """Find the directions of a model, always the same ones.

        Effect: with a `folder` they are kept there in a file named after the generator's SHA-256, and read
        from it the next time.
        """
        if folder is None:
            return cls._find(generator, method)
        path = folder / f"{generator.info.sha256}-{method}-{VERSION}.safetensors"
        kept = _read(path, generator)
        if kept is not None:
            return kept
        found = cls._find(generator, method)
        with contextlib.suppress(OSError):  # a full disk must not keep anyone from exploring
            found.write(path)
        return found

    @classmethod
    def _find(cls, generator: Generator, method: Method) -> "Directions":
        w = mapped_samples(generator).double()
        mean = w.mean(dim=0)
        covariance = (w - mean).T.cov()
        matrix = covariance if method == "pca" else _reaction(generator.synthesis)
        vectors = torch.linalg.eigh(matrix).eigenvectors.flip(1).T[:KEPT]  # eigh sorts from the smallest
        strongest = vectors.abs().argmax(dim=1, keepdim=True)
        basis = vectors * vectors.gather(1, strongest).sign()
        deviations = ((basis @ covariance) * basis).sum(dim=1).clamp(min=0.0).sqrt()
        return cls(basis.float().contiguous(), deviations.float(), mean.float())

    def step(self, number: int) -> Tensor:
        """One standard deviation along a direction: `[w_dim]`. Raises ConfigError where there is none."""
        if number >= len(self):
            raise ConfigError(
                f"This model has {len(self)} directions, numbered from 0; there is no number {number}. "
                "Choose another one."
            )
        return self.basis[number] * self.deviations[number]

    def write(self, path: Path) -> None:
        """Keep them in a file, complete or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.part")
        try:
            save_file({"basis": self.basis, "deviations": self.deviations, "mean": self.mean}, draft)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


@torch.inference_mode()
def mapped_samples(generator: Generator, count: int = SAMPLES) -> Tensor:
    """The w of `count` random z, the same ones each time: float32 `[count, w_dim]`."""
    rng = torch.Generator().manual_seed(SEED)
    z = torch.randn(count, generator.z_dim, generator=rng)
    return torch.cat([generator.mapping(part) for part in torch.split(z, 1000)])


def _read(path: Path, generator: Generator) -> Directions | None:
    try:
        with safe_open(path, framework="pt") as file:
            found = Directions(*(file.get_tensor(name) for name in ("basis", "deviations", "mean")))
    except (OSError, SafetensorError):
        return None
    return found if found.mean.shape == generator.w_avg.shape else None


def _reaction(synthesis: torch.nn.Module) -> Tensor:
    """Sum of A^T A over all layers, A their map from w to styles with rows of length 1 (SeFa, equation 5)."""
    affine = [
        module.weight.double()
        for name, module in synthesis.named_modules()
        if name.endswith(".affine") and isinstance(module, FullyConnected) and "input" not in name
    ]
    rows = torch.nn.functional.normalize(torch.cat(affine), dim=1)
    return rows.T @ rows
