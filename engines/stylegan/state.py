"""The networks and optimizers of one training, and how they are saved, restored and averaged."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engines.checkpoint import Checkpoint, Tensors, all_finite, load_tensors
from engines.errors import ConfigError, ModelError
from engines.manifest import (
    DISCRIMINATOR_FILE,
    GENERATOR_FILE,
    STYLEGAN3,
    ModelInfo,
    read_model_info,
    verify_files,
)
from engines.stylegan import stylegan3
from engines.stylegan.config import Architecture, TrainConfig
from engines.stylegan.networks import Discriminator, Generator
from engines.stylegan.randomness import Purpose, torch_rng

ADAM_BETAS = (0.0, 0.99)
ADAM_EPSILON = 1e-8
CPU = torch.device("cpu")


@dataclass
class TrainState:
    """All that changes while training. `step` and `nimg` count this training, `start_nimg` those before."""

    g: Generator
    d: Discriminator
    g_ema: Generator
    opt_g: torch.optim.Adam
    opt_d: torch.optim.Adam
    dtype: torch.dtype
    step: int = 0
    nimg: int = 0
    start_nimg: int = 0
    ada_p: float = 0.0
    ada_signs: float = 0.0  # sum of the signs of logits on real images since the last adjustment
    ada_images: int = 0
    path_length_mean: float = 0.0

    @classmethod
    def create(cls, config: TrainConfig, dtype: torch.dtype, device: torch.device = CPU) -> "TrainState":
        """Networks from the starting point, or random ones drawn from the seed."""
        start = read_model_info(config.start) if config.start else None
        architecture = Architecture.from_dict(start.architecture) if start else config.architecture
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(torch_rng(config.seed, Purpose.INIT).get_state())
            g, d, g_ema = Generator(architecture), Discriminator(architecture), Generator(architecture)
        if config.start and start:
            _load_start(config.start, start, g, d)
        g_ema.load_state_dict(g.state_dict())
        g_ema.requires_grad_(requires_grad=False)
        for network in (g, d, g_ema):
            network.set_compute_dtype(dtype)
            network.to(device)
        for layer in d.layers()[: config.freeze_d]:
            layer.requires_grad_(requires_grad=False)
        return cls(
            g=g,
            d=d,
            g_ema=g_ema,
            opt_g=_adam(g, config, config.path_length_interval if config.path_length_weight else None),
            opt_d=_adam(d, config, config.r1_interval if config.gamma else None),
            dtype=dtype,
            start_nimg=start.nimg if start else 0,
        )

    @property
    def device(self) -> torch.device:
        """Where the networks live."""
        return self.g.mapping.w_avg.device

    @property
    def architecture(self) -> Architecture:
        """Sizes of the networks."""
        return self.g.architecture

    def is_finite(self) -> bool:
        """Whether all weights are numbers; only then is the state worth saving."""
        return all(all_finite(network.state_dict()) for network in (self.g, self.d, self.g_ema))

    @torch.no_grad()
    def update_average(self, *, batch: int, ema_kimg: float, rampup: float | None) -> None:
        """Move the averaged generator towards the current one; the half-life is `ema_kimg` thousand images.

        At first the half-life is at most `rampup` times the images seen so far (1912.04958's code
        convention).
        """
        half_life = ema_kimg * 1000.0
        if rampup is not None:
            half_life = min(half_life, self.nimg * rampup)
        beta = 0.5 ** (batch / max(half_life, 1e-8))
        average: list[Tensor] = list(self.g_ema.parameters())
        current: list[Tensor] = list(self.g.parameters())
        torch._foreach_lerp_(average, current, 1.0 - beta)
        for kept, moving in zip(self.g_ema.buffers(), self.g.buffers(), strict=True):
            kept.copy_(moving)

    def checkpoint(self, **values: Any) -> Checkpoint:
        """Everything, as tensors and plain values; `values` are kept along."""
        groups: dict[str, Tensors] = {
            "g": self.g.state_dict(),
            "d": self.d.state_dict(),
            "g_ema": self.g_ema.state_dict(),
            "opt_g": dict(_moments(self.g, self.opt_g)),
            "opt_d": dict(_moments(self.d, self.opt_d)),
        }
        counters = {name: getattr(self, name) for name in _COUNTERS}
        return Checkpoint(groups, {**values, **counters, "dtype": str(self.dtype).removeprefix("torch.")})

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take over a checkpoint of the same training. Raises ModelError where it does not fit."""
        try:
            for name in ("g", "d", "g_ema"):
                getattr(self, name).load_state_dict(checkpoint.groups[name])
            _restore_moments(self.g, self.opt_g, checkpoint.groups["opt_g"])
            _restore_moments(self.d, self.opt_d, checkpoint.groups["opt_d"])
            for name in _COUNTERS:
                setattr(self, name, checkpoint.values[name])
        except (KeyError, RuntimeError) as error:
            message = "The saved state does not fit this training. Start it anew in another folder."
            raise ModelError(message) from error


_COUNTERS = ("step", "nimg", "start_nimg", "ada_p", "ada_signs", "ada_images", "path_length_mean")


def load_generator(folder: Path, info: ModelInfo) -> Generator | stylegan3.Generator:
    """The averaged generator of a model folder, strictly: every tensor present, none left over."""
    generator: Generator | stylegan3.Generator
    if info.family == STYLEGAN3:
        generator = stylegan3.Generator(stylegan3.Architecture.from_dict(info.architecture))
    else:
        generator = Generator(Architecture.from_dict(info.architecture))
    _load_strictly(generator, load_tensors(folder / GENERATOR_FILE), folder)
    return generator


def _load_start(folder: Path, info: ModelInfo, g: Generator, d: Discriminator) -> None:
    verify_files(folder, info)
    if DISCRIMINATOR_FILE not in info.files:
        raise ModelError(
            f"{folder} has no discriminator, so training cannot go on from it. Choose another start."
        )
    _load_strictly(g, load_tensors(folder / GENERATOR_FILE), folder)
    _load_strictly(d, load_tensors(folder / DISCRIMINATOR_FILE), folder)


def _load_strictly(network: nn.Module, tensors: Tensors, folder: Path) -> None:
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise ModelError(
            f"The weights in {folder} do not fit its model.json. Get the model again."
        ) from error


def _adam(network: nn.Module, config: TrainConfig, lazy_interval: int | None) -> torch.optim.Adam:
    """Adam for the trainable parameters, corrected for lazy regularisation (1912.04958, appendix B)."""
    c = lazy_interval / (lazy_interval + 1) if lazy_interval else 1.0
    beta1, beta2 = ADAM_BETAS
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if not parameters:
        raise ConfigError("freeze_d leaves no layer of the discriminator to train. Choose a smaller number.")
    return torch.optim.Adam(
        parameters, lr=config.learning_rate * c, betas=(beta1**c, beta2**c), eps=ADAM_EPSILON, fused=True
    )


def _moments(network: nn.Module, optimizer: torch.optim.Adam) -> Iterator[tuple[str, Tensor]]:
    for name, parameter in network.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            yield f"{key}.{name}", value


def _restore_moments(network: nn.Module, optimizer: torch.optim.Adam, tensors: Tensors) -> None:
    names = dict(network.named_parameters())
    for full_name, value in tensors.items():
        key, name = full_name.split(".", 1)
        parameter = names[name]
        optimizer.state[parameter][key] = value.to(parameter.device, copy=True)
