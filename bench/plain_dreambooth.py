"""The plain DreamBooth-LoRA loop (Ruiz et al. 2022, arXiv 2208.12242; Hu et al. 2021, arXiv 2106.09685).

What training scripts commonly do: every step opens the pictures, encodes them and the captions again, and
computes everything in float32; AdamW updates one tensor after the other. `bench.diffusion` compares with it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDPMScheduler
from peft import LoraConfig
from PIL import Image
from torch import Tensor
from torch.nn import functional

_TARGETS = ["to_q", "to_k", "to_v", "to_out.0"]


class PlainDreamBooth:
    """Trains a LoRA on the attention of a Stable Diffusion pipeline."""

    def __init__(
        self,
        pipeline: Any,
        pictures: Sequence[Path],
        *,
        prompt: str,
        side: int,
        batch: int,
        rank: int,
        learning_rate: float = 1e-4,
    ) -> None:
        self._pipeline, self._pictures = pipeline, list(pictures)
        self._prompt, self._side, self._batch = prompt, side, batch
        unet = pipeline.unet
        for part in (pipeline.vae, pipeline.text_encoder, unet):
            part.requires_grad_(requires_grad=False)
        unet.add_adapter(
            LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=_TARGETS)
        )
        self._parameters = [parameter for parameter in unet.parameters() if parameter.requires_grad]
        self._optimizer = torch.optim.AdamW(self._parameters, lr=learning_rate, foreach=False, fused=False)
        self._schedule = torch.optim.lr_scheduler.ConstantLR(self._optimizer, factor=1.0)
        self._noise: Any = DDPMScheduler.from_config(pipeline.scheduler.config)  # type: ignore[no-untyped-call]  # of diffusers
        self._rng = np.random.default_rng(0)

    def step(self) -> float:
        """One update; returns the loss."""
        latents = self._latents()
        noise = torch.randn_like(latents)
        times = torch.randint(self._noise.config.num_train_timesteps, (self._batch,), device=latents.device)
        noisy = self._noise.add_noise(latents, noise, times)
        predicted = self._predicted(noisy, times)
        loss = functional.mse_loss(predicted, noise)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._optimizer.step()
        self._schedule.step()
        self._optimizer.zero_grad()
        return float(loss.detach())

    def _predicted(self, noisy: Tensor, times: Tensor) -> Tensor:
        predicted: Tensor = self._pipeline.unet(noisy, times, self._text()).sample
        return predicted

    @torch.no_grad()
    def _latents(self) -> Tensor:
        rows = self._rng.integers(len(self._pictures), size=self._batch)
        pixels = torch.stack([self._opened(self._pictures[row]) for row in rows])
        vae = self._pipeline.vae
        drawn: Tensor = vae.encode(pixels.to(vae.device)).latent_dist.sample()
        return drawn * float(vae.config.scaling_factor)

    def _opened(self, path: Path) -> Tensor:
        with Image.open(path) as opened:
            image = opened.convert("RGB").resize((self._side, self._side), Image.Resampling.BILINEAR)
        return torch.from_numpy(np.asarray(image, np.float32)).permute(2, 0, 1) / 127.5 - 1

    @torch.no_grad()
    def _text(self) -> Tensor:
        tokenizer = self._pipeline.tokenizer
        numbers = tokenizer(
            [self._prompt] * self._batch,
            padding="max_length",
            truncation=True,
            max_length=tokenizer.model_max_length,
            return_tensors="pt",
        ).input_ids
        encoder = self._pipeline.text_encoder
        hidden: Tensor = encoder(numbers.to(encoder.device))[0]
        return hidden


class PlainDreamBoothXL(PlainDreamBooth):
    """The same on an SDXL pipeline, which has two text encoders and is told the picture's size."""

    def _predicted(self, noisy: Tensor, times: Tensor) -> Tensor:
        with torch.no_grad():
            embeddings, _, pooled, _ = self._pipeline.encode_prompt(
                [self._prompt] * self._batch, do_classifier_free_guidance=False
            )
        sizes = torch.tensor([[self._side, self._side, 0, 0, self._side, self._side]], device=noisy.device)
        conditions = {"text_embeds": pooled, "time_ids": sizes.float().expand(self._batch, -1)}
        output = self._pipeline.unet(noisy, times, embeddings, added_cond_kwargs=conditions)
        predicted: Tensor = output.sample
        return predicted
