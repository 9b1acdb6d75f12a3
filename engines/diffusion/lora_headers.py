"""What a LoRA's header tells before any of it is loaded: for which kind of base, of what rank, by whom.

No torch here; `engines.diffusion.lora_files` reads the weights. Metadata: modelspec and kohya's `ss_` names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from engines.errors import ModelError
from engines.headers import Header

# modelspec's architectures, and kohya's versions of bases, by our families of bases.
ARCHITECTURES: Mapping[str, str] = MappingProxyType(
    {
        "stable-diffusion-v1": "sd15",
        "stable-diffusion-xl-v1-base": "sdxl",
        "stable-diffusion-3": "sd3",
        "flux-1-dev": "flux",
        "atelier-starter": "starter",
    }
)
_VERSIONS: Mapping[str, str] = MappingProxyType({"sd_v1": "sd15", "sdxl_base": "sdxl", "flux1": "flux"})
# How the names of low-rank factors end, in diffusers', peft's, kohya's and LyCORIS' files.
_DOWN = (".lora_A.weight", ".lora.down.weight", ".lora_down.weight", ".lora_linear_layer.down.weight")
_FACTORS = (*_DOWN, ".hada_w1_a", ".lokr_w1", ".lokr_w1_a", ".lokr_w2", ".lokr_w2_a")
# The width of the text that cross-attention of each UNet listens to tells them apart.
_TEXT_WIDTHS: Mapping[int, str] = MappingProxyType({768: "sd15", 2048: "sdxl"})
_MAX_TEXT = 500


@dataclass(frozen=True, kw_only=True)
class LoraHeader:
    """What a file says about itself; "" and 0 where it does not. `family` is told or found by shapes."""

    family: str
    rank: int
    parameters: int
    title: str
    author: str
    licence: str
    keyword: str
    base: str
    base_sha256: str


def describe_lora(header: Header) -> LoraHeader:
    """Judge a header. Raises ModelError where it is no LoRA's."""
    shapes, metadata = header.shapes, header.metadata
    if not any(name.endswith(_FACTORS) for name in shapes):
        raise ModelError(
            "This safetensors file is not a LoRA: it has no low-rank factors. Bring a LoRA, or a whole base "
            "as a ZIP of its diffusers folder."
        )

    def told(*names: str) -> str:
        text = next((metadata[name] for name in names if metadata.get(name)), "")
        return " ".join(text.split())[:_MAX_TEXT]

    ranks = [min(shape[:1]) for name, shape in shapes.items() if name.endswith(_DOWN) and shape]
    return LoraHeader(
        family=_family_told(metadata) or _family_by_shapes(shapes),
        rank=max(ranks, default=0),
        parameters=header.parameters,
        title=told("modelspec.title", "ss_output_name"),
        author=told("modelspec.author"),
        licence=told("modelspec.license"),
        keyword=told("modelspec.trigger_phrase"),
        base=told("atelier.base", "ss_sd_model_name"),
        base_sha256=told("atelier.base_sha256"),
    )


def _family_told(metadata: Mapping[str, str]) -> str:
    own = metadata.get("atelier.family", "")
    if own in ARCHITECTURES.values():
        return own
    architecture = metadata.get("modelspec.architecture", "").partition("/")[0]
    if architecture in ARCHITECTURES:
        return ARCHITECTURES[architecture]
    version = metadata.get("ss_base_model_version", "")
    return next((family for start, family in _VERSIONS.items() if version.startswith(start)), "")


def _family_by_shapes(shapes: Mapping[str, tuple[int, ...]]) -> str:
    for name, shape in shapes.items():
        if "double_blocks" in name or "single_transformer_blocks" in name:
            return "flux"
        if "attn2" in name and "to_k" in name and name.endswith(_DOWN) and shape[-1] in _TEXT_WIDTHS:
            return _TEXT_WIDTHS[shape[-1]]
    return ""
