"""The one table between names of LoRA layers here and those of kohya's trainers, ComfyUI and AUTOMATIC1111.

Names of UNets and text encoders only change their spelling; SDXL's UNet also counts its blocks otherwise, and
names what is in them as its authors do.
FLUX's layers are joined there: query, key and value (and, in single blocks, the feed-forward layer) are one
matrix. Such a LoRA is written with one block of rows for each, so nothing is lost in either direction.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engines.diffusion.base import Base
from engines.diffusion.lora import DOWN, UP, Tensors, every_layer, weight_of
from engines.diffusion.lycoris import MAGNITUDE, as_factors
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
    "img_mod_lin": ("norm1.linear",),
    "txt_mod_lin": ("norm1_context.linear",),
}
_FLUX_SINGLE = {
    "linear1": ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"),
    "linear2": ("proj_out",),
    "modulation_lin": ("norm.linear",),
}
_SGM_OUTSIDE = {
    "conv_in": "input_blocks.0.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}
_SGM_INSIDE = {
    "conv1": "in_layers.2",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}


@dataclass(frozen=True)
class Joined:
    """One layer in kohya's files: the layers here that it joins, their numbers of rows, a row's shape."""

    names: tuple[str, ...]
    widths: tuple[int, ...]
    row: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the joined weight: `[out, in]` or `[out, in, k, k]`."""
        return sum(self.widths), *self.row

    @property
    def kernel(self) -> tuple[int, ...]:
        """Of a convolution; empty for linear layers."""
        return self.row[1:]


def table(base: Base) -> dict[str, Joined]:
    """Kohya's name of every layer of a base that a LoRA may change. Raises ModelError where there is none."""
    if not base.family.kohya:
        raise ModelError(f"Other tools know no names for {base.family.title}. Save the LoRA for diffusers.")
    known = {name: weight_of(layer).shape for name, layer in every_layer(base).items()}
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
            path = _sgm_path(path, per_block, known) if base.family.name == "sdxl" else path
            groups[f"lora_unet_{path.replace('.', '_')}"] = (name,)
    return {kohya: _joined(names, known) for kohya, names in sorted(groups.items())}


def _joined(names: tuple[str, ...], known: Mapping[str, torch.Size]) -> Joined:
    return Joined(names, tuple(known[name][0] for name in names), tuple(known[names[0]][1:]))


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
    """A LoRA's tensors in our names, alpha taken into B; a DoRA's magnitudes are `{layer}.dora_scale`.

    Raises ModelError that names what the base lacks.
    """
    known = table(base) | _diffusers_spelling(base)
    shapes = {kohya: joined.shape for kohya, joined in known.items()}
    rest = as_factors(tensors, shapes, down=KOHYA_DOWN, up=KOHYA_UP)
    read: dict[str, Tensor] = {}
    for kohya, joined in known.items():
        down, up = rest.get(f"{kohya}.{KOHYA_DOWN}"), rest.get(f"{kohya}.{KOHYA_UP}")
        if down is None or up is None or not _fits(down, up, joined):
            continue  # what is left over is told below
        alpha = rest.pop(f"{kohya}.{KOHYA_ALPHA}", None)
        del rest[f"{kohya}.{KOHYA_DOWN}"], rest[f"{kohya}.{KOHYA_UP}"]
        up = up if alpha is None else up * (float(alpha) / len(down))
        # Convolutions of one pixel are written as matrices by some, and the other way round.
        down = down.reshape(*down.shape[:2], *joined.kernel)
        up = up.reshape(*up.shape[:2], *(1 for _ in joined.kernel))
        for name, pair in zip(joined.names, _split(down, up, joined.widths), strict=True):
            if pair is not None:
                read[f"{name}.{DOWN}"], read[f"{name}.{UP}"] = pair
        magnitude = rest.get(f"{kohya}.{MAGNITUDE}")
        if magnitude is not None and (len(joined.names) == 1 or len(magnitude) == joined.shape[0]):
            del rest[f"{kohya}.{MAGNITUDE}"]
            parts = [magnitude] if len(joined.names) == 1 else torch.split(magnitude, list(joined.widths))
            read |= {
                f"{name}.{MAGNITUDE}": part
                for name, part in zip(joined.names, parts, strict=True)
                if f"{name}.{DOWN}" in read
            }
    if rest or not read:
        shown = ", ".join(sorted(rest)[:3]) or "it holds no layers"
        raise ModelError(
            f"This LoRA does not fit the base {base.info.name}: {shown}. Choose the base it is for."
        )
    return read


def _fits(down: Tensor, up: Tensor, joined: Joined) -> bool:
    kernel = joined.kernel or (1, 1)
    return (
        down.shape[2:] in ((), joined.kernel, kernel)
        and (down.ndim > 2 or kernel == (1, 1))
        and up.shape[2:] in ((), (1, 1))
        and up.ndim > 1
        and len(up) == sum(joined.widths)
    )


def _flux_groups(known: Mapping[str, torch.Size]) -> dict[str, tuple[str, ...]]:
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


def _sgm_path(path: str, per_block: int, known: Mapping[str, torch.Size]) -> str:
    """A layer of SDXL's UNet as its authors count: input, middle and output blocks without nesting."""
    if path in _SGM_OUTSIDE:
        return _SGM_OUTSIDE[path]
    found = re.match(r"(down|up|mid)_block(?:s\.(\d+))?\.(resnets|attentions|\w+samplers)\.(\d+)\.(.*)", path)
    if found is None:
        return path
    side, part, rest = found[1], found[3], _SGM_INSIDE.get(found[5], found[5])
    block, number = int(found[2] or 0), int(found[4])
    if side == "mid":
        return f"middle_block.{1 if part == 'attentions' else 2 * number}.{rest}"
    if part == "downsamplers":
        return f"input_blocks.{(block + 1) * per_block}.0.op"
    if part == "upsamplers":
        follows_attention = any(name.startswith(f"unet.up_blocks.{block}.attentions.") for name in known)
        return f"output_blocks.{(block + 1) * per_block - 1}.{1 + follows_attention}.{rest}"
    blocks, first = ("input_blocks", 1) if side == "down" else ("output_blocks", 0)
    return f"{blocks}.{first + block * per_block + number}.{1 if part == 'attentions' else 0}.{rest}"


def _diffusers_spelling(base: Base) -> dict[str, Joined]:
    """SDXL files also come with diffusers' block names in kohya's spelling."""
    if base.family.name != "sdxl":
        return {}
    known = {name: weight_of(layer).shape for name, layer in every_layer(base).items()}
    return {
        f"lora_unet_{name.removeprefix('unet.').replace('.', '_')}": _joined((name,), known)
        for name in known
        if name.startswith("unet.")
    }


def _pair(tensors: Tensors, name: str) -> tuple[Tensor, Tensor] | None:
    down = tensors.get(f"{name}.{DOWN}")
    return None if down is None else (down, tensors[f"{name}.{UP}"])


def _join(pairs: Sequence[tuple[Tensor, Tensor] | None], widths: Sequence[int]) -> tuple[Tensor, Tensor]:
    """A `[sum of ranks, in]` and B `[sum of widths, sum of ranks]`, each layer in its own block."""
    there = next(pair for pair in pairs if pair is not None)
    if len(pairs) == 1:
        return there
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
