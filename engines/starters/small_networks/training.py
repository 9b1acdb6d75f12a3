"""The loop that both small networks are trained by: Adam, a cosine, averaged weights, resumable."""

import copy
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from engines import hardware
from engines.checkpoint import Checkpoint, load_checkpoint, load_tensors, save_checkpoint

AVERAGE = 0.995  # of the averaged weights, what one step keeps
_SAVE_SECONDS = 60.0

# Gets the number of the step and returns its loss.
Loss = Callable[[int], Tensor]


def train(
    network: nn.Module, loss: Loss, *, out: Path, steps: int, rate: float, decay: float = 1e-4
) -> nn.Module:
    """Train a network for so many steps, or what is left of them; return it with averaged weights.

    The rate rises over the first hundredth of the steps and falls to nothing by a cosine. What is in `out` is
    gone on from. Convolutions run in bfloat16 where that is faster, weights and sums stay float32.
    """
    averaged = copy.deepcopy(network).eval()
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay, betas=(0.9, 0.98))
    start = _load(out, network, averaged, optimiser)
    saved_at = told_at = time.monotonic()
    mean = 0.0
    for step in range(start, steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, 100 * (step + 1) / steps) * _cosine(step / steps)
        with hardware.mixed_precision(torch.device("cpu")):
            value = loss(step)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(value)
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        _average(averaged, network, min(AVERAGE, (step + 1) / (step + 10)))
        mean = value.item() if step == start else 0.98 * mean + 0.02 * value.item()
        now = time.monotonic()
        if now - told_at > 20:
            sys.stderr.write(f"step {step + 1} of {steps}, loss {mean:.4f}\n")
            told_at = now
        if now - saved_at > _SAVE_SECONDS or step + 1 == steps:
            _save(out, step + 1, network, averaged, optimiser)
            saved_at = now
    return averaged


def load_averaged(network: nn.Module, out: Path) -> nn.Module:
    """Return the network with the averaged weights of the newest state in `out`. Raises ModelError."""
    newest = max(path for path in out.iterdir() if path.name.isdigit())
    network.load_state_dict(load_tensors(newest / "averaged.safetensors"))
    return network.eval()


def _cosine(done: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * done))


@torch.no_grad()
def _average(averaged: nn.Module, network: nn.Module, kept: float) -> None:
    ours, theirs = averaged.state_dict(), network.state_dict()
    for name, tensor in ours.items():
        if tensor.dtype.is_floating_point:
            tensor.lerp_(theirs[name], 1 - kept)
        else:
            tensor.copy_(theirs[name])


def _save(
    out: Path, step: int, network: nn.Module, averaged: nn.Module, optimiser: torch.optim.Optimizer
) -> None:
    moments: dict[str, Tensor] = {}
    for number, state in optimiser.state_dict()["state"].items():
        moments |= {f"{number}.{name}": value for name, value in state.items()}
    groups = {"network": network.state_dict(), "averaged": averaged.state_dict(), "moments": moments}
    save_checkpoint(out, step, Checkpoint(groups, {"step": step}))


def _load(out: Path, network: nn.Module, averaged: nn.Module, optimiser: torch.optim.Optimizer) -> int:
    state = load_checkpoint(out)
    if state is None:
        return 0
    network.load_state_dict(state.groups["network"])
    averaged.load_state_dict(state.groups["averaged"])
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in state.groups["moments"].items():
        number, _dot, key = name.partition(".")
        moments.setdefault(int(number), {})[key] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
    return int(state.values["step"])
