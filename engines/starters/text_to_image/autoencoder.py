"""First stage: the autoencoder between pictures and latents.

``AutoencoderTiny`` (plain convolutions and ReLU; the architecture of TAESD) because it trains three to four
times as fast on a core as ``AutoencoderKL`` of the same quality and every pipeline of diffusers takes it. f
= 8, 8 channels. Two things make its latents easy to model: noise on them while training (the decoder
tolerates small errors) and scale equivariance (the decoder must make a half-size picture of half-size
latents; Skorokhodov et al. 2025, arXiv 2502.14831), which also lets the transformer learn at 64 px first.
"""

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from diffusers import AutoencoderTiny
from torch.nn import functional

from engines import hardware
from engines.starters.text_to_image.pictures import PictureMix
from engines.starters.text_to_image.running import Clock, Ema, Randomness, Run
from engines.starters.text_to_image.scenes import SIZE, Composer
from engines.starters.text_to_image.sources import read_drawings, read_photographs
from engines.starters.text_to_image.state import load_state, optimizer_tensors, restore_optimizer, save_state

Array = npt.NDArray[np.uint8]

LATENT_CHANNELS = 8
FACTOR = 8  # pixels a side that one latent stands for


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the autoencoder is trained."""

    steps: int = 4000
    batch: int = 32
    crop: int = 64
    learning_rate: float = 6e-4
    warmup: int = 100
    ema: float = 0.998
    latent_noise: float = 0.12  # largest standard deviation
    latent_penalty: float = 2e-3  # on the mean square of latents
    half_share: float = 0.25  # steps that also decode half-size latents
    textures: int = 160
    judged_scenes: int = 32
    measured_pictures: int = 128  # that the scale of latents is measured on


def gpu_recipe() -> Recipe:
    """For a few minutes on a data-centre GPU."""
    return Recipe(steps=6000, batch=64)


def new_autoencoder(width: int = 64) -> Any:
    """An untrained autoencoder; ``width`` channels throughout."""
    widths = (width,) * 4
    model: Any = AutoencoderTiny(  # type: ignore[no-untyped-call]
        latent_channels=LATENT_CHANNELS,
        encoder_block_out_channels=widths,
        decoder_block_out_channels=widths,
        num_encoder_blocks=(0, 1, 2, 3),
        num_decoder_blocks=(3, 3, 2, 1),
    )
    return model.to(memory_format=torch.channels_last)


def train(run: Run, recipe: Recipe) -> bool:
    """Train until ``recipe.steps``; True when done, False when asked to stop first.

    Effect: state in ``out/autoencoder``, the finished model (averaged weights) in ``out/vae``.
    """
    if (run.out / "vae" / "config.json").exists():
        return True
    return Training(run, recipe).train()


class Training:
    """The first stage; goes on from what lies in ``out/autoencoder``."""

    def __init__(self, run: Run, recipe: Recipe) -> None:
        self.run, self.recipe = run, recipe
        self.folder = run.out / "autoencoder"
        torch.manual_seed(0)
        self.model = new_autoencoder().to(run.device)
        self.parameters = dict(self.model.named_parameters())
        self.optimizer = torch.optim.AdamW(
            self.parameters.values(),
            lr=recipe.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=1e-3,
            fused=True,
        )
        self.ema, self.randomness, self.step = Ema(self.parameters, recipe.ema), Randomness(1), 0
        self._restore()
        self.composer = Composer(read_drawings(run.images))
        photographs = read_photographs(run.images, held_out=False, size=3 * SIZE)
        self.mix = PictureMix(self.composer, photographs, textures=recipe.textures)

    def train(self) -> bool:
        """See :func:`train`."""
        recipe, run = self.recipe, self.run
        clock = Clock(run)
        losses: list[float] = []
        since = time.process_time()
        while self.step < recipe.steps and not clock.must_stop:
            losses.append(self._step())
            if self.step % 50 == 0:
                speed = recipe.batch * len(losses) / (time.process_time() - since)
                run.log(
                    stage="autoencoder",
                    step=self.step,
                    loss=np.mean(losses).item(),
                    crops_per_core_second=speed,
                )
                losses, since = [], time.process_time()
            if clock.must_save():
                self._save()
        self._save()
        averaged = new_autoencoder()
        averaged.load_state_dict(self.ema.values)
        judged = judged_pictures(run, self.composer, recipe.judged_scenes)
        report = {name: quality(averaged, pictures) for name, pictures in judged.items()}
        run.log(stage="autoencoder", step=self.step, psnr=report)
        if self.step < recipe.steps:
            return False
        self._finish(averaged)
        return True

    def _step(self) -> float:
        recipe = self.recipe
        self.step += 1
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.learning_rate * _schedule(self.step, recipe)
        batch = self.mix.batch(self.randomness.numpy, recipe.batch, recipe.crop)
        loss = _loss(self.model, to_tensor(batch, self.run.device), self.randomness.torch, recipe)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.parameters.values(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.ema.update(self.step)
        return loss.item()

    def _save(self) -> None:
        state = {
            "model": dict(self.parameters),
            "ema": self.ema.values,
            "optimizer": optimizer_tensors(self.optimizer),
            "random": self.randomness.tensors(),
        }
        save_state(self.folder, state, {"step": self.step, "random": self.randomness.numbers()})

    def _restore(self) -> None:
        if (saved := load_state(self.folder)) is None:
            return
        tensors, numbers = saved
        self.model.load_state_dict(tensors["model"])
        self.ema.restore(tensors["ema"])
        restore_optimizer(self.optimizer, tensors["optimizer"])
        self.randomness.restore(tensors["random"], numbers["random"])
        self.step = numbers["step"]

    def _finish(self, model: Any) -> None:
        """Measure the latents' mean and spread, so that the transformer sees unit variance, and save."""
        batch = self.mix.batch(np.random.default_rng(3), self.recipe.measured_pictures, SIZE)
        with torch.no_grad():
            latents = model.encode(to_tensor(batch, "cpu")).latents
        model.register_to_config(scaling_factor=1 / latents.std().item(), shift_factor=latents.mean().item())
        save_autoencoder(model, self.run.out / "vae.new")
        (self.run.out / "vae.new").rename(self.run.out / "vae")


def save_autoencoder(model: Any, folder: Path) -> None:
    """Save for diffusers, without a setting ``AutoencoderTiny`` derives and warns about when it reads."""
    model.save_pretrained(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config.pop("block_out_channels", None)
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def judged_pictures(run: Run, composer: Composer, scenes: int) -> dict[str, Array]:
    """Pictures ``[N, 128, 128, 3]`` never trained on: photographs of held-out subjects, and fresh scenes."""
    rng = np.random.default_rng(2**32)
    judged = {"scenes": np.stack([composer.scene(rng).pixels for _ in range(scenes)])}
    photographs = read_photographs(run.images, held_out=True, size=SIZE)
    if photographs:
        judged["photographs"] = np.stack([_central(photo) for photo in photographs])
    return judged


def quality(model: Any, pictures: Array) -> float:
    """Mean peak signal-to-noise ratio (dB) of 8-bit reconstructions of ``pictures`` ``[N, H, W, 3]``."""
    with torch.no_grad():
        decoded = model.decode(model.encode(to_tensor(pictures, "cpu")).latents).sample
    error = to_pictures(decoded).astype(np.float32) - pictures
    per_picture = np.mean(error**2, axis=(1, 2, 3))
    return float(np.mean(10 * np.log10(255**2 / np.maximum(per_picture, 1e-9))))


def to_tensor(pictures: Array, device: str) -> torch.Tensor:
    """uint8 ``[N, H, W, 3]`` to float ``[N, 3, H, W]`` in [-1, 1], channels last in memory."""
    tensor = torch.from_numpy(np.ascontiguousarray(pictures)).to(device).permute(0, 3, 1, 2)
    return tensor.float().div(127.5).sub(1)


def to_pictures(tensor: torch.Tensor) -> Array:
    """Float ``[N, 3, H, W]`` in [-1, 1] to uint8 ``[N, H, W, 3]``."""
    scaled = tensor.float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    pictures: Array = scaled.permute(0, 2, 3, 1).cpu().numpy()
    return pictures


def _loss(model: Any, pictures: torch.Tensor, generator: torch.Generator, recipe: Recipe) -> torch.Tensor:
    draws = torch.rand(2, generator=generator)
    with hardware.mixed_precision(pictures.device):
        latents = model.encoder(pictures)
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        noisy = latents + noise * (draws[0].item() * recipe.latent_noise)
        decoded = model.decoder(noisy)
        halves = None
        if draws[1] < recipe.half_share:
            halves = model.decoder(functional.avg_pool2d(noisy, 2))
    loss: torch.Tensor = _distance(decoded, pictures)
    loss = loss + recipe.latent_penalty * latents.float().square().mean()
    if halves is not None:
        loss = loss + 0.5 * _distance(halves, functional.avg_pool2d(pictures, 2))
    return loss


def _distance(decoded: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
    """Absolute error for crisp edges, and squared error for what the signal-to-noise ratio counts."""
    error = decoded.float() - pictures
    distance: torch.Tensor = error.abs().mean() + 2 * error.square().mean()
    return distance


def _schedule(step: int, recipe: Recipe) -> float:
    """Linear warm-up, then a cosine down to 2 %."""
    if step < recipe.warmup:
        return step / recipe.warmup
    done = (step - recipe.warmup) / max(recipe.steps - recipe.warmup, 1)
    return 0.02 + 0.98 * 0.5 * (1 + float(np.cos(np.pi * min(done, 1.0))))


def _central(photo: Array) -> Array:
    top, left = (photo.shape[0] - SIZE) // 2, (photo.shape[1] - SIZE) // 2
    return photo[top : top + SIZE, left : left + SIZE]
