"""How long the parts of a training take, and how that changes with its sizes. No torch here."""

from dataclasses import dataclass

from engines.stylegan.config import Architecture, TrainConfig

# Passes over a network, counted in forward passes: backwards costs twice as much as forwards, and once more
# where the gradient itself is followed back.
_FORWARD, _UPDATE, _SECOND_ORDER = 1, 3, 6
# What of a snapshot does not depend on the number of images that its figures rest on: weights, grid, copies.
_FIXED_SHARE = 0.15
# Opening a picture, hashing it and writing it down takes as long as decoding so many megapixels more:
# 3.8 ms beside 15 ms a megapixel, on a core where a picture of two took 33 ms.
_EVERY_PICTURE = 0.25


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Seconds that the parts of a training take.

    Attributes:
        start: from the process's start until the first step.
        step: one step, on average.
        snapshot: a checkpoint and a snapshot with all its figures, written and copied; not the first one.
        picture: preparing one megapixel of pictures, counted as `picture_work` does.
    """

    start: float
    step: float
    snapshot: float
    picture: float


def step_multiply_adds(architecture: Architecture, config: TrainConfig) -> float:
    """About how many multiply-adds one step takes, on average; only convolutions count.

    Of an image the generator's update follows both networks back, the discriminator's makes one image and
    judges two; the lazy regularisations come on top, path length on half a batch.
    """
    generator: float = _UPDATE + _FORWARD
    if config.path_length_weight:
        generator += _SECOND_ORDER / 2 / config.path_length_interval
    discriminator: float = _UPDATE + 2 * _UPDATE
    if config.gamma:
        discriminator += _SECOND_ORDER / config.r1_interval
    # Both networks have two 3 x 3 convolutions at each size, one of which changes the number of channels.
    one_pass = 0
    for size in architecture.block_resolutions:
        here, below = architecture.channels(size), architecture.channels(max(4, size // 2))
        one_pass += 9 * size * size * here * (here + below)
    return float(config.batch * (generator + discriminator) * one_pass)


def snapshot_worth(config: TrainConfig, pictures: int, *, is_first: bool = False) -> float:
    """How long a snapshot takes where there are so many pictures, in units of `Speed.snapshot`.

    A figure compares as many generated images as half the pictures, at most `quality_samples`. With the first
    snapshot the figures of the pictures themselves are worked out, which takes about as long again.
    """
    samples = min(config.quality_samples, pictures // 2)
    figures = (1 - _FIXED_SHARE) * samples / max(1, config.quality_samples)
    return _FIXED_SHARE + figures * (2 if is_first else 1)


def picture_work(count: int, megapixels: float) -> float:
    """How much work it is to prepare so many pictures of so many megapixels each, in units of `picture`."""
    return count * (_EVERY_PICTURE + megapixels)
