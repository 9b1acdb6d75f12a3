"""Images from a model folder."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from engines import hardware
from engines.images import UInt8Array, to_uint8
from engines.manifest import ModelInfo, read_model_info, verify_files
from engines.stylegan import stylegan3
from engines.stylegan.config import Precision
from engines.stylegan.networks import Generator as Network
from engines.stylegan.randomness import latents
from engines.stylegan.state import load_generator


class Generator:
    """A loaded model, ready to make images. Keep one and use it again: loading takes longer than an image."""

    def __init__(self, network: Network | stylegan3.Generator, info: ModelInfo) -> None:
        self.info = info
        self._network = network.eval().requires_grad_(requires_grad=False)

    @classmethod
    def load(cls, folder: Path, *, threads: int | None = None, precision: Precision = "fp32") -> "Generator":
        """Load a model folder, its files checked against model.json. `threads` holds for the whole process.

        Raises ModelError where the folder is missing, damaged or of another kind.
        """
        if threads is not None:
            torch.set_num_threads(threads)
        hardware.tune_allocator()
        info = read_model_info(folder)
        verify_files(folder, info)
        network = load_generator(folder, info)
        network.set_compute_dtype(hardware.compute_dtype(precision, torch.device("cpu")))
        return cls(network, info)

    @property
    def resolution(self) -> int:
        """Side of the images in pixels."""
        return self.info.resolution

    @property
    def nbytes(self) -> int:
        """Memory the weights take."""
        return sum(tensor.nbytes for tensor in self._network.state_dict().values())

    def images(
        self,
        seeds: Sequence[int],
        *,
        truncation_psi: float | Sequence[float] = 1.0,
        batch_size: int = 16,
        on_batch: Callable[[int, int], None] | None = None,
    ) -> UInt8Array:
        """One image for each seed (0 to 2**32 - 1): uint8 `[N, H, W, 3]`.

        `truncation_psi`, one for all or one for each, trades variety for typicality where it is below 1; 0
        gives the average image (1812.04948, appendix B). `on_batch(done, total)` is called after each batch;
        an exception from it ends the work. A seed gives the same picture in any company, to within rounding.
        Raises ConfigError for a seed out of range.
        """
        if not seeds:
            return np.empty((0, self.resolution, self.resolution, 3), np.uint8)
        each = [truncation_psi] * len(seeds) if isinstance(truncation_psi, int | float) else truncation_psi
        psi = torch.tensor(each, dtype=torch.float32)[:, None]
        batches = []
        for first in range(0, len(seeds), batch_size):
            batch = slice(first, first + batch_size)
            z = latents(seeds[batch], self._network.architecture.z_dim)
            with torch.inference_mode():
                images = self._network(z, truncation_psi=psi[batch])
            batches.append(to_uint8(images.numpy()))
            if on_batch is not None:
                on_batch(min(first + batch_size, len(seeds)), len(seeds))
        return np.concatenate(batches)
