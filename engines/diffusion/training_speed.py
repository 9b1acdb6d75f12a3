"""What makes training steps quick on this machine: the LoRA's own products, attention, and the dtype."""

import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn
from torch.nn import functional

from engines import hardware
from engines.diffusion.base import Base
from engines.diffusion.config import SMALL_PARAMETERS
from engines.diffusion.lora import lora_layers
from engines.starters.text_to_image.attention import MatmulAttention

WORTHWHILE_SPEEDUP = 1.05
_TRIALS, _ROWS = 3, 4
_FEW_TOKENS = 1024  # whose attention takes 4 MiB for each head and picture


def speed_up(base: Base, name: str) -> None:
    """Train the LoRA `name` with fewer and cheaper operations; the numbers are the same within rounding.

    peft computes a float32 LoRA in float32 whatever the base's dtype, scales it and adds it in operations of
    their own. Here its two matrices are taken to the base's dtype, and one operation multiplies and adds.
    """
    for _, layer in lora_layers(base):
        if name in layer.lora_A:
            layer.forward = partial(
                _forward, layer.base_layer, layer.lora_A[name].weight, layer.lora_B[name].weight
            )
    _quicken(base)


def _quicken(base: Base) -> None:
    """Attention by plain products where tokens are few: on a processor the fused kernel is slow backwards.

    UNets gain by that, and by channels that lie side by side, in bfloat16 alone.
    """
    if base.device.type != "cpu":
        return
    if base.family.name == "starter":
        base.pipeline.transformer.set_attn_processor(MatmulAttention())
    elif base.family.denoiser == "unet" and base.dtype is torch.bfloat16:
        base.pipeline.unet.to(memory_format=torch.channels_last)
        if (base.resolution // base.factor) ** 2 <= _FEW_TOKENS:
            base.pipeline.unet.set_attn_processor(AttnProcessor())


def _forward(layer: nn.Module, down: nn.Parameter, up: nn.Parameter, x: Tensor, *_: Any, **__: Any) -> Tensor:
    """The base's layer, and B(A(x)): alpha equals the rank, so nothing is scaled."""
    result: Tensor = layer(x)
    a, b = down.to(x.dtype), up.to(x.dtype)
    if isinstance(layer, nn.Conv2d):
        low = functional.conv2d(x, a, None, layer.stride, layer.padding, layer.dilation)
        return result + functional.conv2d(low, b)
    low = functional.linear(x, a)
    return torch.addmm(result.flatten(0, -2), low.flatten(0, -2), b.t()).view(result.shape)


def training_dtype(folder: Path, parameters: int, device: torch.device) -> torch.dtype:
    """bfloat16 where it is quicker: for small bases on a processor their own denoiser is tried in both."""
    if device.type != "cpu" or parameters > SMALL_PARAMETERS:
        return hardware.compute_dtype("auto", device)
    seconds = [_trial(Base.open(folder, dtype=dtype)) for dtype in (torch.float32, torch.bfloat16)]
    return torch.bfloat16 if seconds[0] / seconds[1] >= WORTHWHILE_SPEEDUP else torch.float32


def _trial(base: Base) -> float:
    """The quickest of some passes forwards and backwards, in CPU seconds."""
    _quicken(base)
    side = base.resolution // base.multiple * base.multiple
    text = {name: tensor.detach() for name, tensor in base.encode_text(["a picture"] * _ROWS).items()}
    times = torch.full((_ROWS,), 500.0)
    best = float("inf")
    for _ in range(_TRIALS):
        latents = torch.zeros(_ROWS, *base.latent_shape(side, side), requires_grad=True)
        began = time.process_time()
        base.predict(latents, times, text).sum().backward()  # type: ignore[no-untyped-call]  # of torch
        best = min(best, time.process_time() - began)
    return best
