"""A base model that is loaded and frozen: text, pictures and latents go in and out of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional

from engines.diffusion.families import FAMILIES, Family, Text
from engines.diffusion.folders import BaseInfo, fingerprint, read_base
from engines.diffusion.keyword_vectors import KeywordVectors
from engines.errors import ModelError

LIBRARIES = {"diffusers": diffusers, "transformers": transformers}
NAMES_SHOWN = 5
transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # a worker's log is no terminal


@dataclass
class Base:
    """A loaded base. Weights are frozen, in `dtype`; the autoencoder stays in float32, as it loses range."""

    info: BaseInfo
    family: Family
    pipeline: Any
    device: torch.device
    dtype: torch.dtype
    keywords: KeywordVectors = field(default_factory=KeywordVectors)  # of the LoRAs inside
    gains: dict[str, dict[str, Tensor]] = field(default_factory=dict)  # of DoRAs inside, by LoRA and layer

    @classmethod
    def open(
        cls, folder: Path, *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ) -> "Base":
        """Load a folder, from its files alone.

        Raises ModelError that names what is missing, damaged or does not fit.
        """
        info = read_base(folder)
        family = FAMILIES[info.family]
        parts = {
            name: _load(folder / name, library, class_name, torch.float32 if name == "vae" else dtype)
            for name, (library, class_name) in info.components.items()
        }
        pipeline_class = _PIPELINES[info.family]
        absent = set(pipeline_class._get_signature_keys(pipeline_class)[0]) - parts.keys()  # noqa: SLF001 -- told nowhere else
        options = {"requires_safety_checker": False} if info.family == "sd15" else {}
        pipeline = pipeline_class(**parts, **dict.fromkeys(absent), **options)
        pipeline.set_progress_bar_config(disable=True)
        for part in parts.values():
            if isinstance(part, nn.Module):
                part.requires_grad_(requires_grad=False).eval().to(device)
        return cls(info, family, pipeline, torch.device(device), dtype)

    @cached_property
    def fingerprint(self) -> str:
        """The base's identity; reads all its weight files the first time."""
        return fingerprint(self.info.folder)

    @property
    def denoiser(self) -> nn.Module:
        """The UNet or transformer."""
        module: nn.Module = getattr(self.pipeline, self.family.denoiser)
        return module

    @property
    def adaptable(self) -> dict[str, nn.Module]:
        """Components that LoRAs may change, by the names that LoRA files give them."""
        names = (self.family.denoiser, *self.family.text_encoders)
        modules = {name: getattr(self.pipeline, name, None) for name in names}
        return {name: module for name, module in modules.items() if module is not None}

    @property
    def text_encoders(self) -> tuple[str, ...]:
        """Text encoders that LoRAs may change, as far as the base has them."""
        return tuple(name for name in self.adaptable if name != self.family.denoiser)

    @property
    def resolution(self) -> int:
        """The side of square pictures the base was trained on, in pixels."""
        return self.family.resolution(self.pipeline)

    @property
    def multiple(self) -> int:
        """Widths and heights must be multiples of this many pixels."""
        return self.family.multiple(self.pipeline)

    @property
    def factor(self) -> int:
        """How many pixels a side one latent stands for."""
        return int(self.pipeline.vae_scale_factor)

    def latent_shape(self, width: int, height: int) -> tuple[int, int, int]:
        """Channels, height and width of the latents of a picture of `width` x `height` pixels."""
        channels = int(self.pipeline.vae.config.latent_channels)
        return channels, height // self.factor, width // self.factor

    def encode_text(self, prompts: Sequence[str]) -> Text:
        """What the denoiser is told by N prompts."""
        return self.family.encode(self.pipeline, prompts)

    def predict(
        self, latents: Tensor, timesteps: Tensor, text: Text, *, guidance: Tensor | None = None
    ) -> Tensor:
        """The denoiser's output, float32 `[N, C, H, W]`, for noisy latents at float timesteps `[N]`.

        `guidance` `[N]` is what distilled models are told; 1 where not given.
        """
        latents = latents.to(self.dtype)
        guidance = torch.ones_like(timesteps) if guidance is None else guidance
        text = {name: tensor.to(self.dtype) for name, tensor in text.items()}
        return self.family.predict(self.pipeline, latents, timesteps, text, guidance).float()

    @torch.no_grad()
    def encode_pictures(self, pictures: Tensor) -> Tensor:
        """Latents of float32 pictures `[N, 3, H, W]` (-1 to 1); of a distribution its mode."""
        vae = self.pipeline.vae
        output = vae.encode(pictures.to(self.device))
        if hasattr(output, "latent_dist"):
            latents = output.latent_dist.mode()
        else:
            latents = output.latents if hasattr(output, "latents") else output.latent
        shift, scale = self._latent_scale
        scaled: Tensor = (latents - shift) * scale
        return scaled

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Float32 pictures `[N, 3, H, W]` (-1 to 1) of latents."""
        shift, scale = self._latent_scale
        decoded: Tensor = self.pipeline.vae.decode(latents.float() / scale + shift).sample
        return decoded.clamp(-1, 1)

    @cached_property
    def linear_decoder(self) -> tuple[Tensor, Tensor]:
        """The linear map from latents to colours, `[C, 3]` and `[3]`: least squares on smooth pictures."""
        rng = torch.Generator().manual_seed(0)
        coarse = torch.rand(16, 3, 4, 4, generator=rng) * 2 - 1
        pictures = functional.interpolate(coarse, scale_factor=2 * self.factor, mode="bicubic").clamp(-1, 1)
        latents = self.encode_pictures(pictures)
        colours = functional.avg_pool2d(pictures.to(latents.device), self.factor)
        inputs = latents.permute(0, 2, 3, 1).flatten(0, 2)
        inputs = torch.cat((inputs, torch.ones_like(inputs[:, :1])), 1)
        solved = torch.linalg.lstsq(inputs, colours.permute(0, 2, 3, 1).flatten(0, 2)).solution
        return solved[:-1], solved[-1]

    @property
    def _latent_scale(self) -> tuple[float, float]:
        config = self.pipeline.vae.config
        return float(config.get("shift_factor") or 0.0), float(config.get("scaling_factor") or 1.0)


def _load(path: Path, library: str, class_name: str, dtype: torch.dtype) -> Any:
    loader = getattr(LIBRARIES.get(library), class_name, None)
    if loader is None:
        raise ModelError(
            f"{path} asks for {library}.{class_name}, which this installation lacks. Use another base."
        )
    options: dict[str, Any] = {"local_files_only": True}
    is_model = issubclass(loader, nn.Module)
    if is_model:
        dtype_option = "dtype" if library == "transformers" else "torch_dtype"
        options |= {"use_safetensors": True, "output_loading_info": True, dtype_option: dtype}
    try:
        loaded = loader.from_pretrained(path, **options)
    except (OSError, ValueError, RuntimeError, TypeError, KeyError) as error:
        raise ModelError(f"{path} cannot be loaded: {error}. Get the base again whole.") from error
    if not is_model:
        return loaded
    model, report = loaded
    wrong = [*report["missing_keys"], *(entry[0] for entry in report["mismatched_keys"])]
    if wrong:
        names = ", ".join(sorted(wrong)[:NAMES_SHOWN])
        raise ModelError(f"{path} lacks weights or has others: {names}. Get the base again whole.")
    return model


_PIPELINES: dict[str, Any] = {
    "starter": diffusers.FluxPipeline,
    "flux": diffusers.FluxPipeline,
    "sd15": diffusers.StableDiffusionPipeline,
    "sdxl": diffusers.StableDiffusionXLPipeline,
    "sd3": diffusers.StableDiffusion3Pipeline,
}
