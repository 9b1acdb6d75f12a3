"""Random numbers as a function of (seed, purpose, step).

Nothing here has a state that runs along: every step makes fresh generators. So a resumed training draws
exactly what an uninterrupted one would, and taking samples or snapshots in between changes nothing.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engines.errors import ConfigError

MAX_SEED = 2**32 - 1


class Purpose(enum.IntEnum):
    """What random numbers are for; streams of different purpose are independent."""

    INIT = 0
    ORDER = 1  # of the training images; its step is the epoch
    MIRROR = 2
    GENERATOR = 3  # latents, style mixing and noise of a step's generator update
    DISCRIMINATOR = 4
    PATH_LENGTH = 5
    AUGMENT_GENERATED = 6
    AUGMENT_REAL = 7
    AUGMENT_R1 = 8
    AUGMENT_TO_FOOL = 9
    QUALITY = 10  # latents of the images that are measured
    PROJECTION = 11  # where a picture is looked for, and what shakes the search


def numpy_rng(seed: int, purpose: Purpose, step: int = 0) -> np.random.Generator:
    """A fresh NumPy generator."""
    return np.random.default_rng([seed, purpose, step])


def torch_rng(
    seed: int, purpose: Purpose, step: int = 0, device: str | torch.device = "cpu"
) -> torch.Generator:
    """A fresh torch generator."""
    state = np.random.SeedSequence([seed, purpose, step]).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(state[0]))


@dataclass(frozen=True)
class Draws:
    """Random numbers for one part of a batch: samples `part`, `part + parts`, ... of the whole.

    Numbers are drawn for the whole batch whoever asks, so how it is split among rounds and processes changes
    nothing. Parts that differ in the same order of calls get what belongs to them.
    """

    rng: torch.Generator
    part: int = 0
    parts: int = 1

    @property
    def rows(self) -> slice:
        """Which samples of the whole batch these are."""
        return slice(self.part, None, self.parts)

    def normal(self, count: int, *shape: int) -> Tensor:
        """float32 `[count, *shape]` of mean 0 and variance 1."""
        whole = (count * self.parts, *shape)
        return torch.randn(whole, generator=self.rng, device=self.rng.device)[self.rows]

    def uniform(self, count: int) -> Tensor:
        """float32 `[count]`, from 0 to below 1."""
        return torch.rand(count * self.parts, generator=self.rng, device=self.rng.device)[self.rows]

    def integers(self, low: int, high: int, count: int) -> Tensor:
        """int64 `[count]`, from `low` to below `high`."""
        whole = (count * self.parts,)
        return torch.randint(low, high, whole, generator=self.rng, device=self.rng.device)[self.rows]


def latents(seeds: Sequence[int], z_dim: int) -> Tensor:
    """float32 `[N, z_dim]`, one row for each seed whatever the company it comes in.

    Uses NumPy's legacy generator because other StyleGAN tools do: the same seed gives the same picture there.
    """
    for seed in seeds:
        if not 0 <= seed <= MAX_SEED:
            raise ConfigError(f"Seeds go from 0 to {MAX_SEED}; you gave {seed}.")
    rows = [np.random.RandomState(seed).randn(z_dim) for seed in seeds]
    return torch.from_numpy(np.stack(rows).astype(np.float32))
