"""LoRA files: safetensors with modelspec's metadata, in names that diffusers or kohya's descendants read.

Metadata: https://github.com/Stability-AI/ModelSpec, and three keys of our own that tell the base apart.
"""

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from engines.diffusion.base import Base
from engines.diffusion.families import FAMILIES
from engines.diffusion.kohya import KOHYA_DOWN, from_kohya, to_kohya
from engines.diffusion.lora import DOWN, NAMES_SHOWN, UP, Tensors, every_layer, unfitting, weight_of
from engines.diffusion.lycoris import MAGNITUDE, as_factors, refuse_unread, with_gains
from engines.errors import ModelError

Naming = Literal["diffusers", "kohya"]

SPEC_VERSION = "1.0.0"
BASE_NAME, BASE_HASH, BASE_FAMILY = "atelier.base", "atelier.base_sha256", "atelier.family"
_KOHYA_BASES = {"sd15": "sd_v1", "sdxl": "sdxl_base_v1-0", "flux": "flux1"}
_KOHYA_PREFIXES = ("lora_unet_", "lora_te")
_OLD_ENDINGS = {".lora.down.weight": f".{DOWN}", ".lora.up.weight": f".{UP}"}
_MAGNITUDES = ".lora_magnitude_vector", ".lora_magnitude_vector.weight"  # of peft, always over outputs


@dataclass(frozen=True, kw_only=True)
class LoraInfo:
    """What a file says about itself."""

    title: str
    author: str = ""
    licence: str = ""
    trigger_phrase: str = ""
    description: str = ""
    resolution: int = 0
    date: str = ""  # ISO 8601
    base: str = ""  # name of the base it was made on
    base_sha256: str = ""  # `folders.fingerprint` of it
    family: str = ""


@dataclass(frozen=True)
class Lora:
    """A LoRA that was read: tensors in our names, float32, alpha equal to rank."""

    tensors: Mapping[str, Tensor]
    info: LoraInfo

    @property
    def size_bytes(self) -> int:
        """What its weights take in memory."""
        return sum(tensor.nbytes for tensor in self.tensors.values())


def save_lora(
    path: Path,
    base: Base,
    tensors: Tensors,
    info: LoraInfo,
    *,
    naming: Naming = "diffusers",
    dtype: torch.dtype = torch.bfloat16,
) -> str:
    """Write a LoRA that was made on `base`; returns the SHA-256 of its tensors, as modelspec wants it.

    Raises ModelError where the family has no names of that kind.
    """
    named = tensors if naming == "diffusers" else to_kohya(base, tensors)
    content = {name: named[name].detach().to("cpu", dtype).contiguous() for name in sorted(named)}
    raw = save(content)
    (header,) = struct.unpack("<Q", raw[:8])
    digest = hashlib.sha256(raw[8 + header :]).hexdigest()
    metadata = _metadata(base, info, digest, naming)
    if naming == "kohya":
        ranks = [len(tensor) for name, tensor in content.items() if name.endswith(KOHYA_DOWN)]
        metadata |= {"ss_network_dim": str(max(ranks)), "ss_network_alpha": str(max(ranks))}
    path.write_bytes(save(content, metadata))
    return digest


def read_info(path: Path) -> LoraInfo:
    """What a file says about itself, without reading its tensors. Raises ModelError for damaged files."""
    with _opened(path) as file:
        return _info(file.metadata() or {}, path)


def read_lora(path: Path, base: Base, *, relatives: bool = False) -> Lora:
    """Read a file of either naming for `base`: a LoRA, DoRA, LoHa or LoKr.

    A file that names another base is refused, unless `relatives` allows other bases of the same family; so is
    one whose layers the base does not have. Raises ModelError that says which base it was made for.
    """
    with _opened(path) as file:
        info = _info(file.metadata() or {}, path)
        alphas = _adapter_alphas(file.metadata() or {})
        raw = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 -- is no mapping
    _refuse_other_base(base, info, relatives=relatives)
    refuse_unread(raw, info.title)
    if any(name.startswith(_KOHYA_PREFIXES) for name in raw):
        return Lora(with_gains(base, from_kohya(base, raw)), info)
    shapes = {name: weight_of(layer).shape for name, layer in every_layer(base).items()}
    tensors = with_gains(base, _with_alpha_one(as_factors(raw, shapes, down=DOWN, up=UP), alphas))
    wrong = unfitting(base, tensors)
    if wrong:
        shown = ", ".join(wrong[:NAMES_SHOWN])
        raise ModelError(
            f"{info.title} does not fit the base {base.info.name}: {shown}. Choose its own base."
        )
    return Lora(tensors, info)


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path.name} cannot be read: {error}. Get the file again.") from error


def _metadata(base: Base, info: LoraInfo, digest: str, naming: Naming) -> dict[str, str]:
    values = {
        "format": "pt",
        "modelspec.sai_model_spec": SPEC_VERSION,
        "modelspec.architecture": f"{base.family.architecture}/lora",
        "modelspec.implementation": "diffusers" if naming == "diffusers" else "sgm",
        "modelspec.title": info.title,
        "modelspec.author": info.author,
        "modelspec.license": info.licence,
        "modelspec.trigger_phrase": info.trigger_phrase,
        "modelspec.description": info.description,
        "modelspec.resolution": f"{info.resolution}x{info.resolution}" if info.resolution else "",
        "modelspec.date": info.date,
        "modelspec.hash_sha256": f"0x{digest}",
        BASE_NAME: base.info.name,
        BASE_HASH: base.fingerprint,
        BASE_FAMILY: base.family.name,
    }
    if naming == "kohya":
        values["ss_network_module"] = "networks.lora"
        values["ss_base_model_version"] = _KOHYA_BASES[base.family.name]
    return {name: value for name, value in values.items() if value}


def _info(metadata: Mapping[str, str], path: Path) -> LoraInfo:
    def told(name: str) -> str:
        return metadata.get(f"modelspec.{name}", "")

    resolution = told("resolution").partition("x")[0]
    return LoraInfo(
        title=told("title") or metadata.get("ss_output_name", "") or path.stem,
        author=told("author"),
        licence=told("license"),
        trigger_phrase=told("trigger_phrase"),
        description=told("description"),
        resolution=int(resolution) if resolution.isdecimal() else 0,
        date=told("date"),
        base=metadata.get(BASE_NAME, "") or metadata.get("ss_sd_model_name", ""),
        base_sha256=metadata.get(BASE_HASH, ""),
        family=_family_told(metadata),
    )


def _family_told(metadata: Mapping[str, str]) -> str:
    if metadata.get(BASE_FAMILY) in FAMILIES:
        return metadata[BASE_FAMILY]
    architecture = metadata.get("modelspec.architecture", "").removesuffix("/lora")
    version = metadata.get("ss_base_model_version", "")
    for name, family in FAMILIES.items():
        if architecture == family.architecture or (version and version == _KOHYA_BASES.get(name)):
            return name
    return ""


def _refuse_other_base(base: Base, info: LoraInfo, *, relatives: bool) -> None:
    if info.family and info.family != base.family.name:
        made_for = FAMILIES[info.family].title + (f" ({info.base})" if info.base else "")
        raise ModelError(
            f"{info.title} was made for {made_for}; the base {base.info.name} is {base.family.title}. "
            "Choose the base it was made for."
        )
    if info.base_sha256 and not relatives and info.base_sha256 != base.fingerprint:
        raise ModelError(
            f"{info.title} was made for the base {info.base}; {base.info.name} is another one. "
            f"Choose {info.base}."
        )


def _adapter_alphas(metadata: Mapping[str, str]) -> dict[str, float]:
    """Alpha by component, as diffusers writes peft's settings into metadata."""
    try:
        values = json.loads(metadata.get("lora_adapter_metadata", "{}"))
        return {
            key.removesuffix(".lora_alpha"): float(value)
            for key, value in values.items()
            if key.endswith(".lora_alpha")
        }
    except (ValueError, TypeError, AttributeError):
        return {}


def _with_alpha_one(raw: Tensors, alphas: Mapping[str, float]) -> dict[str, Tensor]:
    """Tensors in our names, with alpha / rank taken into B."""
    tensors: dict[str, Tensor] = {}
    own_alphas = {
        name.removesuffix(".alpha"): float(value) for name, value in raw.items() if name.endswith(".alpha")
    }
    for name, tensor in raw.items():
        if name.endswith(".alpha"):
            continue
        if name.endswith(_MAGNITUDES):
            tensors[f"{name.partition('.lora_magnitude_vector')[0]}.{MAGNITUDE}"] = tensor.flatten()
            continue
        renamed = name
        for old, new in _OLD_ENDINGS.items():
            renamed = renamed.removesuffix(old) + new if renamed.endswith(old) else renamed
        tensors[renamed] = tensor
    for name in [name for name in tensors if name.endswith(f".{UP}")]:
        layer = name.removesuffix(f".{UP}")
        alpha = own_alphas.get(layer, alphas.get(layer.split(".", 1)[0]))
        rank = tensors[name].shape[1]
        if alpha is not None and alpha != rank:
            tensors[name] = tensors[name] * (alpha / rank)
    return tensors
