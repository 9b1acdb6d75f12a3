"""What makes training steps quick on this machine: the LoRA's own products, attention, and the dtype."""

import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers.models.attention_processor import Attention as AttentionLayer
from diffusers.models.attention_processor import AttnProcessor
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from torch.nn import functional

from engines import hardware
from engines.diffusion.base import Base
from engines.diffusion.config import SMALL_PARAMETERS
from engines.diffusion.lora import lora_layers
from engines.diffusion.lora_products import Attention, Joined, LoraAttention, LoraLinear, WideGroupNorm
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
            forward = _convolved if isinstance(layer.base_layer, nn.Conv2d) else _multiplied
            layer.forward = partial(
                forward, layer.base_layer, layer.lora_A[name].weight, layer.lora_B[name].weight
            )
    _quicken(base)
    if _has_few_tokens(base):
        for module in base.pipeline.unet.modules():
            if isinstance(module, AttentionLayer) and _is_plain(module, name):
                processor: Any = _Whole(module, name)
                module.set_processor(processor)


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
        for module in base.pipeline.unet.modules():
            if isinstance(module, nn.GroupNorm):
                norm: Any = module
                norm.forward = partial(_normalised, module)
        if _has_few_tokens(base):
            base.pipeline.unet.set_attn_processor(AttnProcessor())


def _has_few_tokens(base: Base) -> bool:
    """Whether a UNet on a processor has so few latents that its whole attention weights may be kept."""
    if base.device.type != "cpu" or base.family.denoiser != "unet":
        return False
    return (base.resolution // base.factor) ** 2 <= _FEW_TOKENS


def _normalised(norm: nn.GroupNorm, x: Tensor) -> Tensor:
    result: Tensor = WideGroupNorm.apply(x, norm)  # type: ignore[no-untyped-call]  # of torch
    return result


def _multiplied(layer: nn.Linear, down: nn.Parameter, up: nn.Parameter, x: Tensor) -> Tensor:
    """The base's layer, and B(A(x)): alpha equals the rank, so nothing is scaled."""
    result: Tensor = LoraLinear.apply(x, layer, down, up)  # type: ignore[no-untyped-call]  # of torch
    return result


def _convolved(
    layer: nn.Conv2d, down: nn.Parameter, up: nn.Parameter, x: Tensor, *_: Any, **__: Any
) -> Tensor:
    """The same of a convolution."""
    result: Tensor = layer(x)
    low = functional.conv2d(x, down.to(x.dtype), None, layer.stride, layer.padding, layer.dilation)
    return result + functional.conv2d(low, up.to(x.dtype))


def _is_plain(module: Any, name: str) -> bool:
    """Whether all four layers of an attention have the LoRA, and nothing else is done in it."""
    layers = (module.to_q, module.to_k, module.to_v, module.to_out[0])
    extras = (module.spatial_norm, module.group_norm, module.norm_q, module.norm_k, module.add_k_proj)
    return (
        all(isinstance(layer, LoraLayer) and name in layer.lora_A for layer in layers)
        and (module.to_q.base_layer.bias is None) == (module.to_k.base_layer.bias is None)
        and not any(extra is not None for extra in extras)
        and not (module.residual_connection or module.upcast_attention or module.upcast_softmax)
        and module.rescale_output_factor == 1.0
    )


class _Whole:
    """An attention processor that trains the LoRA of all four layers in one operation.

    Where the layers do something else for the moment (`per_sample` has them make samples), it gives way.
    """

    def __init__(self, module: Any, name: str) -> None:
        layers = [module.to_q, module.to_k, module.to_v, module.to_out[0]]
        self._pairs = [getattr(layer, part)[name].weight for layer in layers for part in ("lora_A", "lora_B")]
        query, key, value, out = (layer.base_layer for layer in layers)
        is_cross = module.is_cross_attention
        self._frozen = Attention(
            heads=module.heads,
            scale=module.scale,
            from_input=Joined.of([query] if is_cross else [query, key, value]),
            from_text=Joined.of([key, value]) if is_cross else None,
            out=Joined.of([out]),
        )
        self._plain = AttnProcessor()

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        **options: Any,
    ) -> Tensor:
        """Output `[N, L, C]` of inputs `[N, L, C]` and, in cross attention, text `[N, T, D]`."""
        trained = getattr(attn.to_q.forward, "func", None) is _multiplied
        if not trained or attention_mask is not None:
            return self._plain(attn, hidden_states, encoder_hidden_states, attention_mask, **options)
        result: Tensor = LoraAttention.apply(  # type: ignore[no-untyped-call]  # of torch
            hidden_states, encoder_hidden_states, self._frozen, *self._pairs
        )
        return result


def training_dtype(folder: Path, parameters: int, device: torch.device) -> torch.dtype:
    """bfloat16 where it is quicker: for small bases on a processor their own denoiser is tried in both."""
    if device.type != "cpu" or parameters > SMALL_PARAMETERS:
        return hardware.compute_dtype("auto", device)
    if hardware.bf16_speedup(device) < hardware.EMULATED_SPEEDUP:  # the trial would take seconds
        return torch.float32
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
