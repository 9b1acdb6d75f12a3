"""What differs between kinds of base models: text, one call of the denoiser, objective, sizes, guidance.

Everything else (training, generating, files) is the same code for all. Latents are `[N, C, H/f, W/f]`,
scaled as the denoiser expects them; timesteps are float `[N]` from 0 to 1000 as the schedulers count.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor

Text = dict[str, Tensor]  # what the denoiser is told; each tensor's first dimension is the sample


class Family(ABC):
    """One kind of base. `pipeline` is a loaded diffusers pipeline of that kind."""

    name: str
    title: str
    denoiser: Literal["unet", "transformer"]
    objective: Literal["noise", "flow"]
    text_encoders: tuple[str, ...]  # that LoRA files may name
    default_guidance: float
    default_steps: int
    kohya: bool = True  # whether other tools know such bases
    architecture: str  # in modelspec's terms

    @abstractmethod
    def encode(self, pipeline: Any, prompts: Sequence[str]) -> Text:
        """Text of N prompts; longer ones are cut where the encoders end."""

    @abstractmethod
    def predict(
        self, pipeline: Any, latents: Tensor, timesteps: Tensor, text: Text, guidance: Tensor
    ) -> Tensor:
        """The denoiser's output for noisy latents. `guidance` `[N]` is for distilled models."""

    def is_distilled(self, pipeline: Any) -> bool:
        """Whether guidance is told to the denoiser, or not wanted, instead of comparing two predictions."""
        return False

    def resolution(self, pipeline: Any) -> int:
        """The side of square pictures the base was trained on, in pixels."""
        module = getattr(pipeline, self.denoiser)
        return int(module.config.sample_size * pipeline.vae_scale_factor)

    def multiple(self, pipeline: Any) -> int:
        """Widths and heights must be multiples of this many pixels."""
        return int(2 * pipeline.vae_scale_factor)

    def tokens(self, latents: tuple[int, int]) -> int:
        """How many tokens a picture of that many latents (height, width) is for a transformer."""
        return (latents[0] // 2) * (latents[1] // 2)


class _UNetFamily(Family):
    denoiser = "unet"
    objective = "noise"
    default_steps = 25

    def multiple(self, pipeline: Any) -> int:
        halvings = len(pipeline.unet.config.block_out_channels) - 1
        return int(pipeline.vae_scale_factor * 2**halvings)


class StableDiffusion15(_UNetFamily):
    """SD 1.x: one CLIP encoder."""

    name, title = "sd15", "Stable Diffusion 1.5"
    text_encoders = ("text_encoder",)
    default_guidance = 7.5
    architecture = "stable-diffusion-v1"

    def encode(self, pipeline: Any, prompts: Sequence[str]) -> Text:
        """See `Family`."""
        embeddings, _ = pipeline.encode_prompt(list(prompts), pipeline.device, 1, False)
        return {"embeddings": embeddings}

    def predict(
        self, pipeline: Any, latents: Tensor, timesteps: Tensor, text: Text, guidance: Tensor
    ) -> Tensor:
        """See `Family`."""
        output: Tensor = pipeline.unet(latents, timesteps, text["embeddings"], return_dict=False)[0]
        return output


class StableDiffusionXL(_UNetFamily):
    """SDXL: two CLIP encoders, and the picture's size told to the UNet."""

    name, title = "sdxl", "Stable Diffusion XL"
    text_encoders = ("text_encoder", "text_encoder_2")
    default_guidance = 6.0
    architecture = "stable-diffusion-xl-v1-base"

    def encode(self, pipeline: Any, prompts: Sequence[str]) -> Text:
        """See `Family`. Where the base says so, an empty prompt is zeros."""
        embeddings, _, pooled, _ = pipeline.encode_prompt(list(prompts), do_classifier_free_guidance=False)
        if pipeline.config.force_zeros_for_empty_prompt:
            told = torch.tensor([bool(prompt) for prompt in prompts], device=embeddings.device)
            embeddings, pooled = embeddings * told[:, None, None], pooled * told[:, None]
        return {"embeddings": embeddings, "pooled": pooled}

    def predict(
        self, pipeline: Any, latents: Tensor, timesteps: Tensor, text: Text, guidance: Tensor
    ) -> Tensor:
        """See `Family`."""
        height, width = (side * pipeline.vae_scale_factor for side in latents.shape[2:])
        sizes = torch.tensor(
            [[height, width, 0, 0, height, width]], dtype=latents.dtype, device=latents.device
        )
        conditions = {"text_embeds": text["pooled"], "time_ids": sizes.expand(len(latents), -1)}
        output: Tensor = pipeline.unet(
            latents, timesteps, text["embeddings"], added_cond_kwargs=conditions, return_dict=False
        )[0]
        return output


class StableDiffusion3(Family):
    """SD 3 and 3.5: two CLIP encoders and, where the folder has it, T5."""

    name, title = "sd3", "Stable Diffusion 3"
    denoiser = "transformer"
    objective = "flow"
    text_encoders = ("text_encoder", "text_encoder_2")
    default_guidance = 5.0
    default_steps = 28
    kohya = False
    architecture = "stable-diffusion-3"
    longest_text = 256

    def encode(self, pipeline: Any, prompts: Sequence[str]) -> Text:
        """See `Family`."""
        embeddings, _, pooled, _ = pipeline.encode_prompt(
            prompt=list(prompts),
            prompt_2=None,
            prompt_3=None,
            do_classifier_free_guidance=False,
            max_sequence_length=_text_length(pipeline.tokenizer_3, self.longest_text),
        )
        return {"embeddings": embeddings, "pooled": pooled}

    def predict(
        self, pipeline: Any, latents: Tensor, timesteps: Tensor, text: Text, guidance: Tensor
    ) -> Tensor:
        """See `Family`."""
        output: Tensor = pipeline.transformer(
            hidden_states=latents,
            timestep=timesteps,
            encoder_hidden_states=text["embeddings"],
            pooled_projections=text["pooled"],
            return_dict=False,
        )[0]
        return output


class Flux(Family):
    """FLUX.1: CLIP's pooled vector and T5's tokens; latents packed two by two."""

    name, title = "flux", "FLUX.1"
    denoiser = "transformer"
    objective = "flow"
    text_encoders: tuple[str, ...] = ("text_encoder",)
    default_guidance = 3.5
    default_steps = 28
    architecture = "flux-1-dev"
    longest_text = 512
    side = 1024

    def is_distilled(self, pipeline: Any) -> bool:
        """FLUX.1 dev is told the guidance, schnell wants none."""
        return True

    def resolution(self, pipeline: Any) -> int:
        """See `Family`; such folders do not tell it."""
        return self.side

    def encode(self, pipeline: Any, prompts: Sequence[str]) -> Text:
        """See `Family`."""
        length = _text_length(pipeline.tokenizer_2, self.longest_text)
        embeddings, pooled, _ = pipeline.encode_prompt(list(prompts), None, max_sequence_length=length)
        return {"embeddings": embeddings, "pooled": pooled}

    def predict(
        self, pipeline: Any, latents: Tensor, timesteps: Tensor, text: Text, guidance: Tensor
    ) -> Tensor:
        """See `Family`."""
        # How FLUX lays out its tokens stands in the pipeline's private methods alone.
        count, channels, height, width = latents.shape
        transformer = pipeline.transformer
        told = guidance if transformer.config.guidance_embeds else None
        place: Any = {"device": latents.device, "dtype": latents.dtype}
        output = transformer(
            hidden_states=pipeline._pack_latents(  # noqa: SLF001 -- as above
                latents, count, channels, height, width
            ),
            timestep=(timesteps / 1000).to(latents.dtype),
            guidance=told,
            pooled_projections=text["pooled"],
            encoder_hidden_states=text["embeddings"],
            txt_ids=torch.zeros(text["embeddings"].shape[1], 3, **place),
            img_ids=pipeline._prepare_latent_image_ids(  # noqa: SLF001 -- as above
                count, height // 2, width // 2, **place
            ),
            return_dict=False,
        )[0]
        factor = pipeline.vae_scale_factor
        size = height * factor, width * factor
        unpacked: Tensor = pipeline._unpack_latents(output, *size, factor)  # noqa: SLF001 -- as above
        return unpacked


class Starter(Flux):
    """Our own small base: shaped like FLUX, but trained for guidance by comparison, 128 pixels a side."""

    name, title = "starter", "Starter"
    text_encoders = ("text_encoder", "text_encoder_2")
    default_guidance = 4.0
    default_steps = 24
    kohya = False
    architecture = "atelier-starter"
    side = 128

    def is_distilled(self, pipeline: Any) -> bool:
        """See `Family`."""
        return False


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        family.name: family
        for family in (Starter(), StableDiffusion15(), StableDiffusionXL(), StableDiffusion3(), Flux())
    }
)


def _text_length(tokenizer: Any, longest: int) -> int:
    """How many tokens a prompt may have: the tokenizer's limit where the model is smaller than usual."""
    return min(longest, tokenizer.model_max_length) if tokenizer is not None else longest
