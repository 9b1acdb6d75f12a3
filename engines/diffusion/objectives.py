"""What a denoiser learns and how pictures come out of it: by noise (SD 1.5, SDXL) or by flow (SD 3, FLUX).

Timesteps are float `[N]` from 0 (clean) to 1000 (noise); latents are float32 `[N, C, H, W]`.
"""

import math
import warnings
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from diffusers import DDPMScheduler, DPMSolverMultistepScheduler, FlowMatchEulerDiscreteScheduler
from torch import Tensor

from engines.diffusion.base import Base

SNR_GAMMA = 5.0


class Objective(ABC):
    """Mixing of latents with noise, the target of training, its weight, and the sampler."""

    @abstractmethod
    def draw(self, count: int, tokens: int, rng: torch.Generator) -> Tensor:
        """Timesteps to train at; `tokens` is the size of the pictures."""

    @abstractmethod
    def noisy(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Latents as far gone as `timesteps` say."""

    @abstractmethod
    def target(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """What the denoiser should say about `noisy(latents, noise, timesteps)`."""

    @abstractmethod
    def weight(self, timesteps: Tensor) -> Tensor:
        """float32 `[N]`: what the squared errors count."""

    @abstractmethod
    def clean(self, latents: Tensor, predicted: Tensor, timesteps: Tensor) -> Tensor:
        """The clean latents that a prediction about noisy ones amounts to."""

    @abstractmethod
    def sampler(self, steps: int, tokens: int) -> Any:
        """A diffusers scheduler with its timesteps set; deterministic, each sample by itself."""


class Noise(Objective):
    """Diffusion by a variance-preserving chain (Ho et al. 2020, arXiv 2006.11239), epsilon or v."""

    def __init__(self, config: Any) -> None:
        self._config = config
        chain = _made(DDPMScheduler, config)
        self._kept: Tensor = chain.alphas_cumprod.float()
        self._is_v = config.get("prediction_type", "epsilon") == "v_prediction"

    def draw(self, count: int, tokens: int, rng: torch.Generator) -> Tensor:
        """Uniform whole timesteps."""
        return torch.randint(len(self._kept), (count,), generator=rng).float()

    def noisy(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Equation 4 of arXiv 2006.11239."""
        signal, spread = self._factors(timesteps, latents)
        return signal * latents + spread * noise

    def target(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """The noise, or the velocity of arXiv 2202.00512."""
        if not self._is_v:
            return noise
        signal, spread = self._factors(timesteps, latents)
        return signal * noise - spread * latents

    def weight(self, timesteps: Tensor) -> Tensor:
        """Min-SNR with gamma 5 (Hang et al. 2023, arXiv 2303.09556, section 3.4)."""
        kept = self._kept[timesteps.long().cpu()].to(timesteps.device)
        ratio = kept / (1 - kept)
        return ratio.clamp(max=SNR_GAMMA) / (ratio + 1 if self._is_v else ratio)

    def clean(self, latents: Tensor, predicted: Tensor, timesteps: Tensor) -> Tensor:
        """The mixing, solved for the clean part."""
        signal, spread = self._factors(timesteps, latents)
        if self._is_v:
            return signal * latents - spread * predicted
        return (latents - spread * predicted) / signal

    def sampler(self, steps: int, tokens: int) -> Any:
        """DPM-Solver++ of second order (Lu et al. 2022, arXiv 2211.01095)."""
        scheduler = _made(DPMSolverMultistepScheduler, self._config)
        with warnings.catch_warnings():  # of the way diffusers turns tensors into arrays
            warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
            scheduler.set_timesteps(steps)
        return scheduler

    def _factors(self, timesteps: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        kept = self._kept[timesteps.long().cpu()].to(like.device)[:, None, None, None]
        return kept.sqrt(), (1 - kept).sqrt()


class Flow(Objective):
    """Straight flows to noise (Lipman et al. 2022, arXiv 2210.02747; Esser et al. 2024, 2403.03206)."""

    def __init__(self, config: Any, *, linear_sigmas: bool) -> None:
        self._config = config
        self._linear_sigmas = linear_sigmas

    def draw(self, count: int, tokens: int, rng: torch.Generator) -> Tensor:
        """Logit-normal times (2403.03206, section 3.1), shifted towards noise as the base's sampler does."""
        times = torch.randn(count, generator=rng).sigmoid()
        shift = math.exp(self._mu(tokens)) if self._is_dynamic else float(self._config.get("shift", 1.0))
        return 1000 * shift * times / (1 + (shift - 1) * times)

    def noisy(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """On the straight line between both."""
        share = _share(timesteps, latents)
        return (1 - share) * latents + share * noise

    def target(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """The line's direction."""
        return noise - latents

    def weight(self, timesteps: Tensor) -> Tensor:
        """One: the times that are drawn are the weighting."""
        return torch.ones_like(timesteps)

    def clean(self, latents: Tensor, predicted: Tensor, timesteps: Tensor) -> Tensor:
        """Back along the direction to the line's beginning."""
        return latents - _share(timesteps, latents) * predicted

    def sampler(self, steps: int, tokens: int) -> Any:
        """Euler steps, with the shift of the base."""
        scheduler = _made(FlowMatchEulerDiscreteScheduler, self._config)
        options: dict[str, Any] = {"mu": self._mu(tokens)} if self._is_dynamic else {}
        if self._linear_sigmas:
            scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps), **options)
        else:
            scheduler.set_timesteps(steps, **options)
        return scheduler

    @property
    def _is_dynamic(self) -> bool:
        return bool(self._config.get("use_dynamic_shifting", False))

    def _mu(self, tokens: int) -> float:
        """The shift's logarithm grows with the number of tokens (2403.03206, section 5.3.2)."""
        config = self._config
        low, high = config.get("base_image_seq_len", 256), config.get("max_image_seq_len", 4096)
        base, most = config.get("base_shift", 0.5), config.get("max_shift", 1.15)
        return float(base + (most - base) * (tokens - low) / (high - low))


def objective_of(base: Base) -> Objective:
    """The objective a base was trained with, with the settings of its scheduler."""
    config = base.pipeline.scheduler.config
    if base.family.objective == "noise":
        return Noise(config)
    return Flow(config, linear_sigmas=base.family.name in {"flux", "starter"})


def _made(scheduler: Any, config: Any) -> Any:
    """A scheduler of diffusers, which leaves their constructors untyped."""
    return scheduler.from_config(config)


def _share(timesteps: Tensor, like: Tensor) -> Tensor:
    return (timesteps / 1000).to(like.device)[:, None, None, None]
