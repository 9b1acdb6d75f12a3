"""Bases that stay loaded in a resident process, with the trained models used last inside them. With torch."""

from dataclasses import dataclass
from pathlib import Path

import torch
from django.conf import settings
from torch import nn

from engines.diffusion.base import Base
from engines.diffusion.shelf import LoraShelf
from jobs import warm


@dataclass
class WarmBase:
    """A base that is loaded, with the trained models that were used last."""

    base: Base
    shelf: LoraShelf

    @classmethod
    def load(cls, folder: Path, device: str) -> "WarmBase":
        """Load a base; in half precision where that is what the device is made for. Raises ModelError."""
        dtype = torch.bfloat16 if device == "cuda" else torch.float32
        base = Base.open(folder, device=device, dtype=dtype)
        return cls(base, LoraShelf(base, capacity_bytes=settings.GENERATION_LORA_BYTES))

    @property
    def nbytes(self) -> int:
        """What it takes in memory, the shelf's full size included."""
        parts = [part for part in self.base.pipeline.components.values() if isinstance(part, nn.Module)]
        weights = sum(tensor.nbytes for part in parts for tensor in part.parameters())
        return weights + self.shelf.capacity_bytes


def warm_base(sha256: str, folder: Path, device: str) -> WarmBase:
    """Return the base of the version with this SHA-256, loaded from its folder where it is not here yet.

    All jobs of a process share it. Raises ModelError for a base that cannot be loaded.
    """
    return warm.get(sha256, lambda: WarmBase.load(folder, device), lambda loaded: loaded.nbytes)
