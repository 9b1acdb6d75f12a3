"""What other kinds of adapters say of a layer, as the A and B of a LoRA, and DoRA's magnitudes as gains.

LoHa and LoKr (LyCORIS; Yeh et al. 2023, arXiv 2309.14859) add products of small matrices that are products of
two matrices too, so nothing is lost: the rank grows, at most to the layer's own. DoRA (Liu et al. 2024,
arXiv 2402.09353) sets the length of each output's weights, or in LyCORIS of each input's; that is a factor
for each of them, kept beside A and B.
"""

import math
import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from engines.diffusion.base import Base
from engines.diffusion.lora import DOWN, GAIN_IN, GAIN_OUT, UP, Tensors, every_layer, weight_of
from engines.errors import ModelError

MAGNITUDE = "dora_scale"
_ALPHA, _MIDDLE = "alpha", "lora_mid.weight"
_PARTS = ("w1_a", "w1_b", "w2_a", "w2_b")
_LOHA = tuple(f"hada_{part}" for part in (*_PARTS, "t1", "t2"))
_LOKR = tuple(f"lokr_{part}" for part in (*_PARTS, "t2", "w1", "w2"))
_UNREAD = {
    r"\.oft_\w+$": "an OFT",
    r"\.boft_\w+$": "a BOFT",
    r"\.on_input$": "an (IA)3",
    r"\.a1\.weight$": "a GLoRA",
    r"\.diff$": "a difference of whole weights",
}

Shapes = Mapping[str, Sequence[int]]
Pair = tuple[Tensor, Tensor]


def refuse_unread(tensors: Tensors, title: str) -> None:
    """Raise ModelError that names the kind of adapter, where it is one that is not read."""
    for key in tensors:
        for ending, kind in _UNREAD.items():
            if re.search(ending, key):
                raise ModelError(
                    f"{title} is {kind}, which is not read here. Get it as a LoRA, DoRA, LoHa or LoKr."
                )


def as_factors(tensors: Tensors, shapes: Shapes, *, down: str, up: str) -> dict[str, Tensor]:
    """Replace what LoHa, LoKr and a convolution's middle say by `{layer}.{down}` and `{layer}.{up}`.

    `shapes` are those of the layers' weights, by the names that the file gives them. Alpha is taken in. What
    does not fit its layer stays as it is, for others to name.
    """
    written = dict(tensors)
    for layer in {key.rpartition(".")[0] for key in tensors if ".hada_w1_b" in key or ".lokr_w" in key}:
        names = [f"{layer}.{part}" for part in (*_LOHA, *_LOKR, _ALPHA)]
        parts = {name.rpartition(".")[2]: tensors[name] for name in names if name in tensors}
        pair = _pair(parts, shapes[layer]) if layer in shapes else None
        if pair is None:
            continue
        for name in names:
            written.pop(name, None)
        written[f"{layer}.{down}"], written[f"{layer}.{up}"] = pair
    for key in [key for key in tensors if key.endswith(f".{_MIDDLE}")]:
        layer = key.removesuffix(f".{_MIDDLE}")
        outer = written.get(f"{layer}.{down}")
        if outer is not None and outer.shape[0] == tensors[key].shape[1]:
            written[f"{layer}.{down}"] = torch.einsum("mnkl,ni->mikl", written.pop(key), outer.flatten(1))
    return written


def with_gains(base: Base, tensors: Tensors) -> dict[str, Tensor]:
    """Turn each `{layer}.dora_scale` into the factor beyond one of its outputs or inputs, A and B along.

    The layer then does W x (1 + gain) + B A x. Magnitudes are `[out]` or, over inputs, `[1, in, ...]`. Raises
    ModelError where they fit neither.
    """
    written = dict(tensors)
    layers = every_layer(base)
    for key in [key for key in tensors if key.endswith(f".{MAGNITUDE}")]:
        name = key.removesuffix(f".{MAGNITUDE}")
        magnitude = written.pop(key)
        down, up = written.get(f"{name}.{DOWN}"), written.get(f"{name}.{UP}")
        if down is None or up is None or name not in layers:
            raise ModelError(
                f"{key} stands without its LoRA, or the base {base.info.name} lacks the layer. "
                "Get the file again, or choose the base it is for."
            )
        weight = weight_of(layers[name]).detach().cpu().float()
        whole = weight + (up.flatten(1) @ down.flatten(1)).view_as(weight)
        over_outputs = magnitude.shape[0] == len(weight)
        lengths = (whole if over_outputs else whole.transpose(0, 1)).flatten(1).norm(dim=1)
        if magnitude.numel() != len(lengths):
            ours = tuple(weight.shape)
            raise ModelError(
                f"{key} is {tuple(magnitude.shape)} where the base {base.info.name} has {ours}. "
                "Choose the base it is for."
            )
        factor = magnitude.flatten() / lengths.clamp(min=torch.finfo(torch.float32).eps)
        if over_outputs:
            written[f"{name}.{UP}"] = up * factor.view(-1, *(1 for _ in up.shape[1:]))
        else:
            written[f"{name}.{DOWN}"] = down * factor.view(1, -1, *(1 for _ in down.shape[2:]))
        written[f"{name}.{GAIN_OUT if over_outputs else GAIN_IN}"] = factor - 1
    return written


def _pair(parts: Tensors, shape: Sequence[int]) -> Pair | None:
    """A `[r, in, ...]` and B `[out, r, ...]` of a layer of this shape; None for parts that do not fit it."""
    pair = _loha(parts, shape) if "hada_w1_b" in parts else _lokr(parts, shape)
    if pair is None:
        return None
    down, up = pair
    kernel = shape[2:]
    return down.reshape(-1, shape[1], *kernel), up.reshape(shape[0], -1, *(1 for _ in kernel))


def _loha(parts: Tensors, shape: Sequence[int]) -> Pair | None:
    """The product, entry by entry, of two matrices of rank r has rank r squared (its equation 4)."""
    out, inputs = shape[0], math.prod(shape[1:])
    halves = [tuple(parts.get(f"hada_{part}{end}") for end in ("_a", "_b")) for part in ("w1", "w2")]
    (one_up, one_down), (two_up, two_down) = halves
    if one_up is None or one_down is None or two_up is None or two_down is None:
        return None
    scale = _scale(parts, len(one_down))
    cores = parts.get("hada_t1"), parts.get("hada_t2")
    if cores[0] is not None and cores[1] is not None:
        if (one_up.shape[1], one_down.shape[1]) != (out, shape[1]) or cores[0].shape[2:] != shape[2:]:
            return None
        first, second = _tucker(cores[0], one_up, one_down), _tucker(cores[1], two_up, two_down)
        return _whole(scale * (first * second).flatten(1))
    if {len(one_up), len(two_up)} != {out} or {one_down.shape[1], two_down.shape[1]} != {inputs}:
        return None
    if len(one_down) * len(two_down) >= min(out, inputs):
        return _whole(scale * (one_up @ one_down) * (two_up @ two_down))
    up = (one_up[:, :, None] * two_up[:, None]).flatten(1)
    down = (one_down[:, None] * two_down).flatten(0, 1)
    return down, scale * up


def _lokr(parts: Tensors, shape: Sequence[int]) -> Pair | None:
    """Kronecker's product W1 x W2, each whole or a product of two; kron(I, B2) @ kron(W1, A2) is the same."""
    out, inputs = shape[0], math.prod(shape[1:])
    second_up, second_down = parts.get("lokr_w2_a"), parts.get("lokr_w2_b")
    first, second = parts.get("lokr_w1"), parts.get("lokr_w2")
    rank = None  # whole matrices are written without a scale
    if first is None and "lokr_w1_a" in parts and "lokr_w1_b" in parts:
        first, rank = parts["lokr_w1_a"] @ parts["lokr_w1_b"], len(parts["lokr_w1_b"])
    if second_up is not None and second_down is not None:
        rank = len(second_down)
        if "lokr_t2" in parts:
            second = _tucker(parts["lokr_t2"], second_up, second_down)
    scale = 1.0 if rank is None else _scale(parts, rank)
    if first is None:
        return None
    if second is not None:
        fits = (len(first) * len(second), first.shape[1] * second[0].numel()) == (out, inputs)
        return _whole(scale * torch.kron(first, second.flatten(1))) if fits else None
    if second_up is None or second_down is None:
        return None
    if (len(first) * len(second_up), first.shape[1] * second_down[0].numel()) != (out, inputs):
        return None
    if min(first.shape) * len(second_down) >= min(out, inputs):
        return _whole(scale * torch.kron(first, second_up @ second_down.flatten(1)))
    if len(first) <= first.shape[1]:
        up, down = torch.kron(torch.eye(len(first)), second_up), torch.kron(first, second_down.flatten(1))
    else:
        identity = torch.eye(first.shape[1])
        up, down = torch.kron(first, second_up), torch.kron(identity, second_down.flatten(1))
    return down, scale * up


def _tucker(core: Tensor, up: Tensor, down: Tensor) -> Tensor:
    """`[out, in, k, k]` of a core `[r, r, k, k]`, B `[r, out]` and A `[r, in]`."""
    return torch.einsum("ijkl,jn,io->onkl", core, down, up)


def _whole(weight: Tensor) -> Pair:
    """A matrix of full rank as A and B, of which the smaller is the identity."""
    out, inputs = weight.shape
    return (weight, torch.eye(out)) if out <= inputs else (torch.eye(inputs), weight)


def _scale(parts: Tensors, rank: int) -> float:
    return float(parts[_ALPHA]) / rank if _ALPHA in parts else 1.0
