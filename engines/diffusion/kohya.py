"""The one table between names of LoRA layers here and those of kohya's trainers, ComfyUI and AUTOMATIC1111.

Names of UNets and text encoders only change their spelling; SDXL's UNet also counts its blocks otherwise.
FLUX's layers are joined there: query, key and value (and, in single blocks, the feed-forward layer) are one
matrix. Such a LoRA is written with one block of rows for each, so nothing is lost in either direction.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engines.diffusion.base import Base
from engines.diffusion.lora import DOWN, UP, Tensors, layers_of
from engines.errors import ModelError

KOHYA_DOWN, KOHYA_UP, KOHYA_ALPHA = "lora_down.weight", "lora_up.weight", "alpha"
_FLUX_DOUBLE = {
    "img_attn_qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "txt_attn_qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    "img_attn_proj": ("attn.to_out.0",),
    "txt_attn_proj": ("attn.to_add_out",),
    "img_mlp_0": ("ff.net.0.proj",),
    "img_mlp_2": ("ff.net.2",),
    "txt_mlp_0": ("ff_context.net.0.proj",),
    "txt_mlp_2": ("ff_context.net.2",),
}
_FLUX_SINGLE = {
    "linear1": ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"),
    "linear2": ("proj_out",),
}


@dataclass(frozen=True)
class Joined:
    """One layer in kohya's files: the layers here that it joins, and how many rows each of them has."""

    names: tuple[str, ...]
    widths: tuple[int, ...]


def table(base: Base) -> dict[str, Joined]:
    """Kohya's name of every layer of a base that a LoRA may change. Raises ModelError where there is none."""
    if not base.family.kohya:
        raise ModelError(f"Other tools know no names for {base.family.title}. Save the LoRA for diffusers.")
    known = {name: int(layer.out_features) for name, layer in layers_of(base, "all", text=True).items()}
    texts = [name for name in known if name.startswith("text_encoder")]
    prefixes = {
        "text_encoder": "lora_te" if base.family.name == "sd15" else "lora_te1",
        "text_encoder_2": "lora_te2",
    }
    groups: dict[str, tuple[str, ...]] = {}
    for name in texts:
        component, path = name.split(".", 1)
        groups[f"{prefixes[component]}_{path.replace('.', '_')}"] = (name,)
    if base.family.name == "flux":
        groups |= _flux_groups(known)
    else:
        per_block = int(base.pipeline.unet.config.layers_per_block) + 1
        for name in known.keys() - set(texts):
            path = name.removeprefix("unet.")
            path = _sgm_path(path, per_block) if base.family.name == "sdxl" else path
            groups[f"lora_unet_{path.replace('.', '_')}"] = (name,)
    return {
        kohya: Joined(names, tuple(known[name] for name in names)) for kohya, names in sorted(groups.items())
    }


def to_kohya(base: Base, tensors: Tensors) -> dict[str, Tensor]:
    """A LoRA's tensors in kohya's names, with an alpha that equals each rank."""
    written: dict[str, Tensor] = {}
    for kohya, joined in table(base).items():
        pairs = [_pair(tensors, name) for name in joined.names]
        if all(pair is None for pair in pairs):
            continue
        down, up = _join(pairs, joined.widths)
        written |= {f"{kohya}.{KOHYA_DOWN}": down, f"{kohya}.{KOHYA_UP}": up}
        written[f"{kohya}.{KOHYA_ALPHA}"] = torch.tensor(float(len(down)))
    return written


def from_kohya(base: Base, tensors: Tensors) -> dict[str, Tensor]:
    """A LoRA's tensors in our names, alpha taken into B. Raises ModelError that names what the base lacks."""
    known = table(base) | _diffusers_spelling(base)
    rest = dict(tensors)
    read: dict[str, Tensor] = {}
    for kohya, joined in known.items():
        down, up = rest.get(f"{kohya}.{KOHYA_DOWN}"), rest.get(f"{kohya}.{KOHYA_UP}")
        if down is None or up is None or down.ndim != 2 or up.ndim != 2 or len(up) != sum(joined.widths):
            continue  # what is left over is told below
        alpha = rest.pop(f"{kohya}.{KOHYA_ALPHA}", None)
        del rest[f"{kohya}.{KOHYA_DOWN}"], rest[f"{kohya}.{KOHYA_UP}"]
        up = up if alpha is None else up * (float(alpha) / len(down))
        for name, pair in zip(joined.names, _split(down, up, joined.widths), strict=True):
            if pair is not None:
                read[f"{name}.{DOWN}"], read[f"{name}.{UP}"] = pair
    if rest or not read:
        shown = ", ".join(sorted(rest)[:3]) or "it holds no layers"
        raise ModelError(
            f"This LoRA does not fit the base {base.info.name}: {shown}. Choose the base it is for."
        )
    return read


def _flux_groups(known: Mapping[str, int]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, tuple[str, ...]] = {}
    for blocks, kohya, parts in (
        ("transformer_blocks", "double_blocks", _FLUX_DOUBLE),
        ("single_transformer_blocks", "single_blocks", _FLUX_SINGLE),
    ):
        numbers = {name.split(".")[2] for name in known if name.startswith(f"transformer.{blocks}.")}
        for number in numbers:
            for part, paths in parts.items():
                names = tuple(f"transformer.{blocks}.{number}.{path}" for path in paths)
                groups[f"lora_unet_{kohya}_{number}_{part}"] = names
    return groups


def _sgm_path(path: str, per_block: int) -> str:
    """A layer of SDXL's UNet as its authors count: input, middle and output blocks without nesting."""
    path = path.replace("mid_block.attentions.0.", "middle_block.1.")
    down = re.match(r"down_blocks\.(\d+)\.attentions\.(\d+)\.(.*)", path)
    if down:
        return f"input_blocks.{1 + int(down[1]) * per_block + int(down[2])}.1.{down[3]}"
    up = re.match(r"up_blocks\.(\d+)\.attentions\.(\d+)\.(.*)", path)
    return f"output_blocks.{int(up[1]) * per_block + int(up[2])}.1.{up[3]}" if up else path


def _diffusers_spelling(base: Base) -> dict[str, Joined]:
    """SDXL files also come with diffusers' block names in kohya's spelling."""
    if base.family.name != "sdxl":
        return {}
    layers = layers_of(base, "all", text=False)
    return {
        f"lora_unet_{name.removeprefix('unet.').replace('.', '_')}": Joined(
            (name,), (int(layer.out_features),)
        )
        for name, layer in layers.items()
    }


def _pair(tensors: Tensors, name: str) -> tuple[Tensor, Tensor] | None:
    down = tensors.get(f"{name}.{DOWN}")
    return None if down is None else (down, tensors[f"{name}.{UP}"])


def _join(pairs: Sequence[tuple[Tensor, Tensor] | None], widths: Sequence[int]) -> tuple[Tensor, Tensor]:
    """A `[sum of ranks, in]` and B `[sum of widths, sum of ranks]`, each layer in its own block."""
    there = next(pair for pair in pairs if pair is not None)
    rank = max(len(pair[0]) for pair in pairs if pair is not None)
    down = there[0].new_zeros(rank * len(pairs), there[0].shape[1])
    up = there[1].new_zeros(sum(widths), rank * len(pairs))
    top = 0
    for number, (pair, width) in enumerate(zip(pairs, widths, strict=True)):
        if pair is not None:
            left, own = number * rank, len(pair[0])
            down[left : left + own] = pair[0]
            up[top : top + width, left : left + own] = pair[1]
        top += width
    return down, up


def _split(down: Tensor, up: Tensor, widths: Sequence[int]) -> list[tuple[Tensor, Tensor] | None]:
    """The layers' own A and B; None for a layer that nothing is added to, where blocks tell."""
    count = len(widths)
    parts = torch.split(up, list(widths))
    if count == 1:
        return [(down, up)]
    rank, odd = divmod(len(down), count)
    blocks = [part[:, number * rank : (number + 1) * rank] for number, part in enumerate(parts)]
    in_blocks = not odd and all(
        torch.count_nonzero(part) == torch.count_nonzero(block)
        for part, block in zip(parts, blocks, strict=True)
    )
    if not in_blocks:
        return [(down.clone(), part.clone()) for part in parts]
    downs = torch.split(down, rank)
    return [
        (own.clone(), block.clone()) if own.any() or block.any() else None
        for own, block in zip(downs, blocks, strict=True)
    ]
