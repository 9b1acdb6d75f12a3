"""A training's random numbers, as a function of (seed, purpose, step): resuming draws the same."""

import enum

import numpy as np
import torch


class Purpose(enum.IntEnum):
    """What random numbers are for; streams of different purpose are independent."""

    INIT = 0
    ORDER = 1  # of the views; its step is the epoch
    VIEWS = 2  # crops of a picture; its step is the picture's number
    CAPTION = 3
    NOISE = 4
    TIMES = 5
    DROP = 6  # which captions are left out
    PRIOR = 7
    SURROUNDINGS = 8  # of a picture's subject; its step is the picture's number


def numpy_rng(seed: int, purpose: Purpose, step: int = 0) -> np.random.Generator:
    """A fresh NumPy generator."""
    return np.random.default_rng([seed, purpose, step])


def torch_rng(seed: int, purpose: Purpose, step: int = 0) -> torch.Generator:
    """A fresh torch generator, on the processor whatever the device: the same numbers everywhere."""
    state = np.random.SeedSequence([seed, purpose, step]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]))
