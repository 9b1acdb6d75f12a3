"""Mixing two models into one, to look at or to train on from: weights averaged, or blended by resolution."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engines.checkpoint import Tensors, load_tensors, write_model
from engines.files import atomic_folder
from engines.images import UInt8Array
from engines.manifest import DISCRIMINATOR_FILE, GENERATOR_FILE, ModelInfo, read_model_info, verify_files
from engines.stylegan.config import Architecture
from engines.stylegan.directions import mapped_samples
from engines.stylegan.generate import Generator
from engines.stylegan.networks import Generator as Network
from engines.stylegan.relatives import Kinship, MixConfig, check_mixable, kinship, mixed_info

COARSEST = 4  # pixels; what the mapping decides counts as this
_RESOLUTION = re.compile(r"(?:^|\.)b(\d+)\.")
_KEPT = ("noise_const", "resample_filter")  # an average of noise would be weaker noise


class ModelPair:
    """Two model folders, loaded to be mixed in as many ways as one likes.

    Raises ModelError where a folder is damaged or the two do not fit together.
    """

    def __init__(self, first: Path, second: Path) -> None:
        self._folders = (first, second)
        self._infos = (read_model_info(first), read_model_info(second))
        check_mixable(*self._infos)
        for folder, info in zip(self._folders, self._infos, strict=True):
            verify_files(folder, info)
        self._first, self._second = (load_tensors(folder / GENERATOR_FILE) for folder in self._folders)

    @property
    def kinship(self) -> Kinship:
        """How the two are related: a mix of strangers deserves a warning."""
        return kinship(*self._infos)

    @property
    def is_trainable(self) -> bool:
        """Whether a mix can be trained on: both have a discriminator."""
        return all(DISCRIMINATOR_FILE in info.files for info in self._infos)

    def generator(self, config: MixConfig) -> Generator:
        """The mix, ready to make images."""
        info = mixed_info(*self._infos, config)
        network = Network(Architecture.from_dict(info.architecture))
        network.load_state_dict(_mixed(self._first, self._second, config))
        mixed = Generator(network, info)
        if 0.0 < config.weight(COARSEST) < 1.0:
            # The mean w of the mixed mapping is not the mix of the mean w.
            network.mapping.w_avg.copy_(mapped_samples(mixed).mean(dim=0))
        return mixed

    def preview(
        self, configs: Sequence[MixConfig], seeds: Sequence[int], *, truncation_psi: float = 0.8
    ) -> UInt8Array:
        """The same seeds in the first model, in each mix and in the second, a row each.

        uint8 `[2 + mixes, N, R, R, 3]`.
        """
        ends = (MixConfig(share=0.0), MixConfig(share=1.0))
        rows = [
            self.generator(config).images(seeds, truncation_psi=truncation_psi)
            for config in (ends[0], *configs, ends[1])
        ]
        return np.stack(rows)

    def write(self, target: Path, config: MixConfig, *, name: str = "") -> ModelInfo:
        """Write the mix as a model folder, complete or not at all, with both parents in its lineage.

        Its discriminator is mixed in the same way; where one of the two has none, the mix can make images but
        not be trained on.
        """
        info = mixed_info(*self._infos, config, name=name)
        networks = {GENERATOR_FILE: self.generator(config).state()}
        if self.is_trainable:
            first, second = (load_tensors(folder / DISCRIMINATOR_FILE) for folder in self._folders)
            networks[DISCRIMINATOR_FILE] = _mixed(first, second, config)
        with atomic_folder(target) as folder:
            return write_model(folder, info, networks)


def _mixed(first: Tensors, second: Tensors, config: MixConfig) -> dict[str, Tensor]:
    return {
        name: _mixed_tensor(name, tensor, second[name], config.weight(_resolution(name)))
        for name, tensor in first.items()
    }


def _mixed_tensor(name: str, first: Tensor, second: Tensor, weight: float) -> Tensor:
    if name.endswith(_KEPT):
        return first if weight <= 0.5 else second
    return torch.lerp(first, second, weight)


def _resolution(name: str) -> int:
    """Of a layer, by the name of one of its tensors."""
    match = _RESOLUTION.search(name)
    return int(match[1]) if match else COARSEST
