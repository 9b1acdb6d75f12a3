"""Images from a model folder."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from engines import hardware
from engines.choices import Precision
from engines.images import UInt8Array, to_uint8
from engines.manifest import ModelInfo, read_model_info, verify_files
from engines.stylegan import stylegan3
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
        each = [truncation_psi] * len(seeds) if isinstance(truncation_psi, int | float) else truncation_psi
        psi = torch.tensor(each, dtype=torch.float32)[:, None]

        def batch_of(batch: slice) -> Tensor:
            z = latents(seeds[batch], self.z_dim)
            images: Tensor = self._network(z, truncation_psi=psi[batch])
            return images

        return self._in_batches(batch_of, len(seeds), batch_size, on_batch)

    def state(self) -> dict[str, Tensor]:
        """The weights by name, as model folders keep them."""
        return self._network.state_dict()

    @property
    def z_dim(self) -> int:
        """Numbers in a z."""
        return self._network.architecture.z_dim

    @property
    def num_ws(self) -> int:
        """Layers that take a w."""
        return self._network.architecture.num_ws

    @property
    def w_avg(self) -> Tensor:
        """The mean w, float32 `[w_dim]`: the place truncation leads to."""
        return self._network.mapping.w_avg

    @property
    def mapping(self) -> nn.Module:
        """From z `[N, z_dim]` to w `[N, w_dim]`."""
        return self._network.mapping

    @property
    def synthesis(self) -> nn.Module:
        """From w for each layer, `[N, num_ws, w_dim]`, to pictures `[N, 3, R, R]`; differentiable."""
        return self._network.synthesis

    def images_of(
        self, ws: Tensor, *, batch_size: int = 16, on_batch: Callable[[int, int], None] | None = None
    ) -> UInt8Array:
        """The picture of each w: float32 `[N, num_ws, w_dim]` to uint8 `[N, H, W, 3]`.

        `on_batch` as in `images`.
        """
        return self._in_batches(lambda batch: self.synthesis(ws[batch]), len(ws), batch_size, on_batch)

    def _in_batches(
        self,
        batch_of: Callable[[slice], Tensor],
        count: int,
        batch_size: int,
        on_batch: Callable[[int, int], None] | None,
    ) -> UInt8Array:
        pictures = np.empty((count, self.resolution, self.resolution, 3), np.uint8)
        for first in range(0, count, batch_size):
            batch = slice(first, min(first + batch_size, count))
            with torch.inference_mode():
                images = batch_of(batch)
            pictures[batch] = to_uint8(images.numpy())
            if on_batch is not None:
                on_batch(batch.stop, count)
        return pictures
