"""What changes in a LoRA training: its weights, their running average and the optimizer's moments."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from engines.checkpoint import Checkpoint, Tensors
from engines.diffusion.base import Base
from engines.diffusion.config import TrainConfig
from engines.diffusion.keyword_vectors import ENDING
from engines.diffusion.lora import add_lora, lora_parameters
from engines.diffusion.randomness import Purpose, torch_rng
from engines.errors import ModelError

NAME = "trained"  # of the LoRA inside the base; "training" is taken in every torch module
BETAS = (0.9, 0.99)
MOMENTS = ("step", "exp_avg", "exp_avg_sq")


@dataclass
class TrainState:
    """`parameters` and `average` go by the names of LoRA files; both are float32."""

    base: Base
    parameters: dict[str, nn.Parameter]
    average: dict[str, Tensor]
    optimizer: torch.optim.AdamW
    step: int = 0
    parts: int = 1  # into which a batch is split, as memory asks for it
    values: dict[str, str] = field(default_factory=dict)  # kept along: what the training is of

    @classmethod
    def create(cls, base: Base, config: TrainConfig) -> "TrainState":
        """A fresh LoRA in the base, and its optimizer."""
        rng = torch_rng(config.seed, Purpose.INIT)
        text = config.text_learning_rate > 0
        add_lora(
            base,
            NAME,
            rank=config.rank,
            layers=config.layers,
            text=text,
            rng=rng,
            convolutions=config.convolutions,
            keyword=config.keyword if config.keyword_learning_rate else "",
        )
        parameters = lora_parameters(base, NAME)
        average = {name: parameter.detach().clone() for name, parameter in parameters.items()}
        return cls(base, parameters, average, _optimizer(base, parameters, config))

    def set_learning_rate(self, share: float) -> None:
        """Each group's own rate, times `share`."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * share

    @torch.no_grad()
    def update_average(self, ema: float) -> None:
        """Move the average towards the weights; at first faster, so that the beginning is forgotten."""
        decay = min(ema, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(list(self.average.values()), list(self.parameters.values()), 1 - decay)

    @torch.no_grad()
    def swap_average(self) -> None:
        """Exchange weights and average; call it again to exchange them back."""
        for name, parameter in self.parameters.items():
            kept = parameter.detach().clone()
            parameter.copy_(self.average[name])
            self.average[name].copy_(kept)

    def checkpoint(self) -> Checkpoint:
        """Everything, as tensors and plain values."""
        moments = {
            f"{key}:{name}": self.optimizer.state[parameter][key]
            for name, parameter in self.parameters.items()
            for key in MOMENTS
            if parameter in self.optimizer.state
        }
        groups: dict[str, Tensors] = {
            "lora": dict(self.parameters),
            "average": self.average,
            "moments": moments,
        }
        return Checkpoint(groups, {"step": self.step, "parts": self.parts, **self.values})

    @torch.no_grad()
    def restore(self, checkpoint: Checkpoint) -> None:
        """Take over a checkpoint of the same training. Raises ModelError where it does not fit."""
        try:
            for name, parameter in self.parameters.items():
                parameter.copy_(checkpoint.groups["lora"][name])
                self.average[name].copy_(checkpoint.groups["average"][name])
            for key_and_name, value in checkpoint.groups["moments"].items():
                key, name = key_and_name.split(":", 1)
                parameter = self.parameters[name]
                place = parameter.device if key != "step" else value.device
                self.optimizer.state[parameter][key] = value.to(place, copy=True)
            self.step, self.parts = checkpoint.values["step"], checkpoint.values["parts"]
        except (KeyError, RuntimeError) as error:
            message = "The saved state does not fit this training. Start it anew in another folder."
            raise ModelError(message) from error


def _optimizer(base: Base, parameters: dict[str, nn.Parameter], config: TrainConfig) -> torch.optim.AdamW:
    prefix = f"{base.family.denoiser}."
    pictures = [parameter for name, parameter in parameters.items() if name.startswith(prefix)]
    keywords = [parameter for name, parameter in parameters.items() if name.endswith(f".{ENDING}")]
    texts = [
        parameter
        for name, parameter in parameters.items()
        if not name.startswith(prefix) and not name.endswith(f".{ENDING}")
    ]
    groups: list[dict[str, Any]] = [{"params": pictures, "peak": config.learning_rate}]
    if texts:
        groups.append({"params": texts, "peak": config.text_learning_rate})
    if keywords:  # no decay: vectors have their place, which is not zero
        groups.append({"params": keywords, "peak": config.keyword_learning_rate, "weight_decay": 0.0})
    return torch.optim.AdamW(
        groups, lr=config.learning_rate, betas=BETAS, weight_decay=config.weight_decay, fused=True
    )
