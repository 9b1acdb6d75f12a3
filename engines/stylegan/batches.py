"""The real images of each step: an endless sequence of shuffled epochs, perhaps mirrored."""

import numpy as np
import torch
from torch import Tensor

from engines.dataset import PreparedDataset
from engines.stylegan.randomness import Purpose, numpy_rng


class RealImages:
    """Pictures of a prepared dataset in the order in which a training sees them."""

    def __init__(
        self, dataset: PreparedDataset, *, batch: int, seed: int, mirror: bool, device: torch.device
    ) -> None:
        self._images = dataset.images
        self._batch = batch
        self._seed = seed
        self._mirror = mirror
        self._device = device
        self._order = (-1, np.empty(0, np.int64))

    def part(self, step: int, nimg: int, rows: slice) -> Tensor:
        """Those `rows` of the step's batch after `nimg` images: float32 `[N, 3, R, R]`, channels last."""
        positions = range(nimg, nimg + self._batch)[rows]
        images = self._images[[self._shuffled(position) for position in positions]]
        if self._mirror:
            rng = numpy_rng(self._seed, Purpose.MIRROR, step)
            flipped = rng.random(self._batch)[rows] < 0.5
            images[flipped] = images[flipped, :, ::-1]
        # Converted where it is used: bytes travel to a graphics card four times as fast as floats.
        return (torch.from_numpy(images).to(self._device).float() / 127.5 - 1.0).permute(0, 3, 1, 2)

    def _shuffled(self, position: int) -> int:
        epoch, index = divmod(position, len(self._images))
        if self._order[0] != epoch:
            rng = numpy_rng(self._seed, Purpose.ORDER, epoch)
            self._order = (epoch, rng.permutation(len(self._images)))
        return int(self._order[1][index])
