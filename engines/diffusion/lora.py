"""LoRAs inside a loaded base (Hu et al. 2021, arXiv 2106.09685), by peft: add, put in, take out.

A LoRA's tensors go by the names that diffusers' files give them: component, module, `lora_A` or `lora_B`, for
example `unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q.lora_A.weight`. A is `[rank, in]`, B is
`[out, rank]`; alpha equals the rank throughout, so the weight that is added is B @ A. Of a convolution A is
`[rank, in, k, k]` and B `[out, rank, 1, 1]`, as LyCORIS has it (Yeh et al. 2023, arXiv 2309.14859).

What was read from a DoRA has gains besides, `[out]` or `[in]`: a layer then does W x (1 + gain) + B A x.
"""

import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from engines.diffusion.base import Base
from engines.diffusion.keyword_vectors import ENDING
from engines.errors import ModelError

Layers = Literal["attention", "all"]
Tensors = Mapping[str, Tensor]

NO_LORA = "__base__"  # peft's word for a sample without an adapter
DOWN, UP = "lora_A.weight", "lora_B.weight"
GAIN_IN, GAIN_OUT = "lora_gain_in", "lora_gain_out"
NAMES_SHOWN = 3
_ATTENTION = (
    *("to_q", "to_k", "to_v", "to_out.0"),
    *("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"),
    *("q_proj", "k_proj", "v_proj", "out_proj"),  # of CLIP
    *("SelfAttention.q", "SelfAttention.k", "SelfAttention.v", "SelfAttention.o"),  # of T5
)
_FEED_FORWARD = (
    *("net.0.proj", "net.2", "proj_mlp", "proj_out"),
    *("mlp.fc1", "mlp.fc2", "DenseReluDense.wi_0", "DenseReluDense.wi_1", "DenseReluDense.wo"),
)
_CONVOLUTIONS = ("conv_in", "conv_out", "conv1", "conv2", "conv_shortcut", "conv", "proj_in", "proj_out")


def layers_of(base: Base, layers: Layers, *, text: bool, convolutions: bool = False) -> dict[str, Any]:
    """The layers that a training changes, by the names of files without `lora_A.weight`.

    Linear ones, and of a UNet its convolutions where those are wanted.
    """
    names = _ATTENTION if layers == "attention" else _ATTENTION + _FEED_FORWARD
    endings = tuple(f".{name}" for name in names)
    found: dict[str, Any] = {}
    for name, layer in every_layer(base).items():
        component, path = name.split(".", 1)
        if component != base.family.denoiser and not text:
            continue
        if is_convolution(layer):
            wanted = convolutions and path.rsplit(".", 1)[-1] in _CONVOLUTIONS
        else:
            # The dot keeps a transformer's last projection out, which is named as one inside its blocks.
            wanted = path.endswith(endings)
        if wanted:
            found[name] = layer
    return found


def every_layer(base: Base) -> dict[str, Any]:
    """All layers that a LoRA from elsewhere may change, by the names of files without `lora_A.weight`."""
    found: dict[str, Any] = {}
    for component, model in base.adaptable.items():
        inside: tuple[str, ...] = ()  # of layers that hold LoRAs already
        for path, module in model.named_modules():
            if path.startswith(inside):
                continue
            if isinstance(module, LoraLayer):
                inside = (*inside, f"{path}.")
            if isinstance(module, nn.Linear | nn.Conv2d | LoraLayer):
                found[_file_name(component, model, path)] = module
    return found


def weight_of(layer: Any) -> Tensor:
    """The base's own weight in a layer, `[out, in]` or `[out, in, k, k]`."""
    own: Any = layer.get_base_layer() if isinstance(layer, LoraLayer) else layer
    weight: Tensor = own.weight
    return weight


def is_convolution(layer: Any) -> bool:
    """Whether a layer is a convolution, with LoRAs inside or without."""
    return weight_of(layer).ndim > 2


def add_lora(
    base: Base,
    name: str,
    *,
    rank: int,
    layers: Layers,
    text: bool,
    rng: torch.Generator,
    convolutions: bool = False,
    keyword: str = "",
) -> None:
    """Add a LoRA that changes nothing yet and can be trained; its weights are float32.

    A is drawn from `rng` as peft draws it (uniform, Kaiming), B is zero. A `keyword` is given vectors of its
    own in every text encoder, which begin as the base's.
    """
    targets = layers_of(base, layers, text=text, convolutions=convolutions)
    _inject(base, name, dict.fromkeys(targets, rank), trainable=True)
    for tensor_name, parameter in lora_parameters(base, name).items():
        parameter.data = parameter.data.float()
        if tensor_name.endswith(DOWN):
            bound = parameter[0].numel() ** -0.5
            drawn = torch.rand(parameter.shape, generator=rng) * 2 * bound - bound
            parameter.data.copy_(drawn)
    for component in base.text_encoders if keyword else ():
        base.keywords.add(base.pipeline, component, name, keyword)


def lora_parameters(base: Base, name: str) -> dict[str, nn.Parameter]:
    """The live parameters of a LoRA that is inside the base."""
    found: dict[str, nn.Parameter] = {}
    for file_name, layer in lora_layers(base):
        if name in layer.lora_A:
            found[f"{file_name}.{DOWN}"] = layer.lora_A[name].weight
            found[f"{file_name}.{UP}"] = layer.lora_B[name].weight
    return found | base.keywords.parameters(name)


def load_lora(base: Base, name: str, tensors: Tensors, *, keyword: str = "") -> None:
    """Put a LoRA beside those that are inside the base already, in the base's dtype.

    `keyword` is what its vectors for one are for, where it has any (`LoraInfo.trigger_phrase`). Raises
    ModelError where it does not fit the base.
    """
    wrong = unfitting(base, tensors)
    if wrong:
        shown = ", ".join(wrong[:NAMES_SHOWN])
        raise ModelError(
            f"This LoRA does not fit the base {base.info.name}: {shown}. Choose the base it is for."
        )
    downs = {key.removesuffix(f".{DOWN}"): value for key, value in tensors.items() if key.endswith(DOWN)}
    _inject(base, name, {key: len(value) for key, value in downs.items()}, trainable=False)
    for key, value in tensors.items():
        if key.endswith(f".{ENDING}"):
            base.keywords.add(base.pipeline, key.removesuffix(f".{ENDING}"), name, keyword, value)
    base.gains[name] = {
        key: value.to(base.device, base.dtype)
        for key, value in tensors.items()
        if key.endswith((f".{GAIN_IN}", f".{GAIN_OUT}"))
    }
    with torch.no_grad():
        for key, parameter in lora_parameters(base, name).items():
            parameter.copy_(tensors[key])


def remove_lora(base: Base, name: str) -> None:
    """Take a LoRA out of the base."""
    base.keywords.remove(name)
    base.gains.pop(name, None)
    for _, layer in lora_layers(base):
        layer.set_adapter([active for active in layer.active_adapters if active != name])
        layer.delete_adapter(name)
    for model in base.adaptable.values():
        getattr(model, "peft_config", {}).pop(name, None)


def unfitting(base: Base, tensors: Tensors) -> list[str]:
    """What keeps a LoRA from fitting: layers that the base lacks, or other shapes; empty where it fits."""
    known = every_layer(base)
    wrong = []
    for key, tensor in tensors.items():
        name, _, kind = key.rpartition(".lora_")
        if f"lora_{kind}" == ENDING and name in base.text_encoders:
            continue  # their shape is looked at when the keyword is known
        if name not in known or f"lora_{kind}" not in (DOWN, UP, GAIN_IN, GAIN_OUT):
            wrong.append(f"the base has no {key}")
            continue
        shape = weight_of(known[name]).shape
        if f"lora_{kind}" in (GAIN_IN, GAIN_OUT):
            expected = shape[1:2] if f"lora_{kind}" == GAIN_IN else shape[:1]
            other, fits = DOWN, tensor.shape == expected
        elif f"lora_{kind}" == DOWN:
            other, fits = UP, tensor.shape[1:] == shape[1:]
        else:
            other, fits = DOWN, tensor.shape[:1] == shape[:1] and tensor.ndim == len(shape)
        if not fits:
            wrong.append(f"{key} is {tuple(tensor.shape)} where the base has {tuple(shape)}")
        elif f"{name}.{other}" not in tensors:
            wrong.append(f"{name}.{other} is missing")
    return wrong or ([] if tensors else ["it holds no layers"])


def _inject(base: Base, name: str, ranks: Mapping[str, int], *, trainable: bool) -> None:
    for component, model in base.adaptable.items():
        prefix = f"{component}."
        paths = {
            _module_path(model, key.removeprefix(prefix)): rank
            for key, rank in ranks.items()
            if key.startswith(prefix)
        }
        if not paths:
            continue
        common = max(set(paths.values()), key=list(paths.values()).count)
        others = {f"^{path}$".replace(".", r"\."): rank for path, rank in paths.items() if rank != common}
        config = LoraConfig(
            r=common,
            lora_alpha=common,
            target_modules=list(paths),
            rank_pattern=others,
            alpha_pattern=others,
            inference_mode=not trainable,
        )
        # peft draws weights, which are replaced at once, and warns of second adapters, which are wanted.
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Already found a `peft_config`", UserWarning)
            inject_adapter_in_model(config, model, adapter_name=name)


def lora_layers(base: Base) -> Iterator[tuple[str, Any]]:
    """The base's layers that hold LoRAs (peft's own), by the names of files."""
    for component, model in base.adaptable.items():
        for path, module in model.named_modules():
            if isinstance(module, LoraLayer):
                yield _file_name(component, model, path), module


def _file_name(component: str, model: nn.Module, path: str) -> str:
    """A module's name in files, which keep `text_model.` from times when CLIP's encoder was wrapped in it."""
    return f"{component}.text_model.{path}" if _is_unwrapped_clip(model) else f"{component}.{path}"


def _module_path(model: nn.Module, name: str) -> str:
    return name.removeprefix("text_model.") if _is_unwrapped_clip(model) else name


def _is_unwrapped_clip(model: nn.Module) -> bool:
    return type(model).__name__ == "CLIPTextModel" and not hasattr(model, "text_model")
