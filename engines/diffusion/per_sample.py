"""Different LoRAs in one batch: one pass of the base serves all samples, each LoRA is added to its own rows.

The idea of S-LoRA (Sheng et al. 2023, arXiv 2311.03285): in each layer the samples' A and B are stacked once,
ranks filled up with zeros, and two batched products add what is each sample's own. A loop over LoRAs, as peft
has it, takes a third longer on a processor and waits for every small kernel on a graphics card.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engines.diffusion.base import Base
from engines.diffusion.lora import GAIN_IN, GAIN_OUT, lora_layers
from engines.errors import ConfigError

_Gains = tuple[Tensor | None, Tensor | None]


@contextmanager
def per_sample(base: Base, names: Sequence[str], scales: Sequence[float]) -> Iterator[None]:
    """Inside, sample i of every batch uses the LoRA `names[i]` (or `NO_LORA`) at strength `scales[i]`.

    A batch k times as long holds k rows of each sample, all first rows before all second ones. LoRAs that are
    changed inside the block stay as they were when it began. Not for training: gradients reach no LoRA.
    Raises ConfigError, when the base is used, for batches that the samples cannot share.
    """
    layers = [layer for _, layer in lora_layers(base)]
    before = [layer.__dict__.get("forward") for layer in layers]  # of a LoRA that is being trained
    try:
        for file_name, layer in lora_layers(base):
            gains = _stacked_gains(base, file_name, names, scales)
            stacked = _stacked(layer, names, scales, gains)
            layer.forward = partial(_forward, layer.base_layer, stacked, len(names))
        with base.keywords.used_by(names, scales):
            yield
    finally:
        for layer, forward in zip(layers, before, strict=True):
            layer.__dict__.pop("forward", None)
            if forward is not None:
                layer.forward = forward


class _Stacked:
    """A layer's adapters by sample: A `[N, in, r]` (of convolutions `[N, r, in, k, k]`), B `[N, r, out]`.

    Where a DoRA is among them, also what its gains make of inputs `[N, in]` and outputs `[N, out]`.
    """

    def __init__(self, down: Tensor, up: Tensor, gains: _Gains) -> None:
        self._down, self._up, self._gains = down, up, gains
        self._repeated: dict[int, tuple[Tensor, Tensor, _Gains]] = {}

    def at(self, rows: int) -> tuple[Tensor, Tensor, _Gains]:
        """A, B and gains for each row of a batch."""
        if rows not in self._repeated:
            times = rows // len(self._up)
            down = self._down.repeat(times, *(1 for _ in self._down.shape[1:]))
            over_inputs, over_outputs = (
                None if gain is None else gain.repeat(times, 1) for gain in self._gains
            )
            self._repeated[rows] = down, self._up.repeat(times, 1, 1), (over_inputs, over_outputs)
        return self._repeated[rows]


@torch.no_grad()
def _stacked_gains(base: Base, file_name: str, names: Sequence[str], scales: Sequence[float]) -> _Gains:
    """Gains over inputs and over outputs, by sample; None where no sample's LoRA has such."""

    def stacked(kind: str) -> Tensor | None:
        rows = [base.gains.get(name, {}).get(f"{file_name}.{kind}") for name in names]
        present = next((row for row in rows if row is not None), None)
        if present is None:
            return None
        none = torch.zeros_like(present)
        return torch.stack(
            [none if row is None else row * scale for row, scale in zip(rows, scales, strict=True)]
        )

    return stacked(GAIN_IN), stacked(GAIN_OUT)


@torch.no_grad()
def _stacked(layer: Any, names: Sequence[str], scales: Sequence[float], gains: _Gains) -> _Stacked | None:
    """None where no sample's LoRA changes the layer."""
    own = {name: (layer.lora_A[name].weight, layer.lora_B[name].weight) for name in layer.lora_A}
    present = [own[name] for name in names if name in own]
    if not present:
        return None
    rank = max(len(down) for down, _ in present)
    weight = layer.base_layer.weight
    down = weight.new_zeros(len(names), rank, *present[0][0].shape[1:])
    up = weight.new_zeros(len(names), rank, len(present[0][1]))
    for row, (name, scale) in enumerate(zip(names, scales, strict=True)):
        if name in own:
            one, other = own[name]
            down[row, : len(one)] = one
            up[row, : len(one)] = other.flatten(1).T * scale
    return _Stacked(down.transpose(1, 2).contiguous() if weight.ndim == 2 else down, up, gains)


def _forward(
    layer: nn.Module, stacked: _Stacked | None, samples: int, x: Tensor, *args: Any, **kwargs: Any
) -> Tensor:
    """The base's layer `x @ W`, and for each row its own `x @ A @ B`."""
    rows = len(x)
    if rows % samples:
        raise ConfigError(f"A batch of {rows} cannot be shared by {samples} samples.")
    if stacked is None:
        unchanged: Tensor = layer(x, *args, **kwargs)
        return unchanged
    down, up, (gain_in, gain_out) = stacked.at(rows)
    channels = 1 if isinstance(layer, nn.Conv2d) else -1
    result: Tensor = layer(x if gain_in is None else x + _along(gain_in, x, channels) * x, *args, **kwargs)
    if gain_out is not None:
        own: Any = layer.bias
        bias = torch.zeros_like(gain_out[:1]) if own is None else own[None]
        result = result + _along(gain_out, result, channels) * (result - _along(bias, result, channels))
    if isinstance(layer, nn.Conv2d):
        return result + _convolved(layer, x, down, up)
    low = torch.bmm(x.reshape(rows, -1, x.shape[-1]), down)
    added = torch.baddbmm(result.reshape(rows, -1, result.shape[-1]), low, up)
    return added.view(result.shape)


def _along(values: Tensor, x: Tensor, channels: int) -> Tensor:
    """Values `[N, C]` shaped to go along dimension `channels` of x."""
    shape = [len(values), *(1 for _ in x.shape[1:])]
    shape[channels] = values.shape[1]
    return values.view(shape)


def _convolved(layer: nn.Conv2d, x: Tensor, down: Tensor, up: Tensor) -> Tensor:
    """Each row with its own kernels: one convolution in as many groups as there are rows."""
    rows, rank = up.shape[:2]
    low = functional.conv2d(
        x.reshape(1, -1, *x.shape[2:]),
        down.flatten(0, 1),
        None,
        layer.stride,
        layer.padding,
        layer.dilation,
        rows,
    )
    height, width = low.shape[2:]
    return torch.bmm(up.transpose(1, 2), low.view(rows, rank, -1)).view(rows, -1, height, width)
