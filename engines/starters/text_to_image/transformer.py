"""Second stage: transformer and text encoders learn from the pools, small pictures first.

Hidden matrices are trained with Muon (Jordan et al. 2024), everything else with AdamW. PyTorch's Muon works
in bfloat16 and would take most of a step where a processor only emulates that; there all is trained with
AdamW. At 64 px a step costs less than half and the same concepts are learnt, so training starts there, on the
core concepts alone.
"""

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderTiny
from transformers import CLIPTokenizer

from engines import hardware
from engines.starters.text_to_image import flow
from engines.starters.text_to_image.attention import MatmulAttention
from engines.starters.text_to_image.concepts import concepts
from engines.starters.text_to_image.pool import LatentPool, PoolKind, compose_chunk, encode
from engines.starters.text_to_image.running import Clock, Ema, Randomness, Run
from engines.starters.text_to_image.sources import read_captions
from engines.starters.text_to_image.state import load_state, optimizer_tensors, restore_optimizer, save_state
from engines.starters.text_to_image.text import TextEncoders, load_or_build_tokenizer, tokenize

_VALIDATION_SEED = 10**6
_VALIDATION_CHUNKS = 4  # of 64 scenes


@dataclasses.dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of the training: on what, in which batches, and until how many images were seen in all."""

    pool: PoolKind
    batch: int
    until: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the transformer is trained."""

    phases: tuple[Phase, ...]
    first_fill: int  # scenes encoded before a phase starts
    reuse: int  # how often a scene is seen before it is renewed, about
    learning_rate: float = 1e-3
    matrix_learning_rate: float = 2e-3
    weight_decay: float = 0.01
    warmup: int = 200
    ema: float = 0.999
    end: int | None = None  # images after which to end, whatever the phases say
    cooldown: int = 0  # images before ``end`` over which learning rates fall to nothing
    empty_captions: float = 0.1
    workers: int = 0


def cpu_recipe() -> Recipe:
    """For one core and many hours."""
    small = PoolKind(size=64, core_only=True, capacity=120_000)
    core = PoolKind(size=128, core_only=True, capacity=60_000)
    everything = dataclasses.replace(core, core_only=False)
    phases = (
        Phase(pool=small, batch=128, until=400_000),
        Phase(pool=core, batch=64, until=1_600_000),
        Phase(pool=everything, batch=64, until=8_000_000),
    )
    return Recipe(phases=phases, first_fill=16_000, reuse=8)


def gpu_recipe(workers: int) -> Recipe:
    """For a data-centre GPU and half an hour: large batches, scenes composed by ``workers`` processes."""
    small = PoolKind(size=64, core_only=True, capacity=200_000)
    everything = PoolKind(size=128, core_only=False, capacity=300_000)
    phases = (
        Phase(pool=small, batch=1024, until=3_000_000),
        Phase(pool=everything, batch=1024, until=30_000_000),
    )
    return Recipe(phases=phases, first_fill=60_000, reuse=24, ema=0.9995, workers=workers)


class Model(torch.nn.Module):
    """What is trained: the transformer and the text encoders."""

    def __init__(self, tokenizer: CLIPTokenizer, *, plain_attention: bool) -> None:
        super().__init__()
        self.transformer: Any = flow.new_transformer()
        self.encoders = TextEncoders(tokenizer)
        if plain_attention:
            self.transformer.set_attn_processor(MatmulAttention())


def load_vae(run: Run) -> Any:
    """The finished autoencoder of this training."""
    vae: Any = AutoencoderTiny.from_pretrained(run.out / "vae")  # type: ignore[no-untyped-call]
    return vae.eval().to(run.device, memory_format=torch.channels_last)


def load_tokenizer(run: Run) -> CLIPTokenizer:
    """The tokenizer of this training, built from nouns, scene captions and source captions the first time."""

    def captions() -> Iterator[str]:
        kind = PoolKind(size=64, core_only=False, capacity=0)
        for number in range(32):
            yield from compose_chunk(run.images, kind, _VALIDATION_SEED, number)[0]
        for _ in range(20):
            yield from concepts()
        yield from read_captions(run.images)

    return load_or_build_tokenizer(run.out / "tokenizer", captions())


class Training:
    """The second stage; :meth:`run` goes on from what lies in ``out/transformer``."""

    def __init__(self, run: Run, recipe: Recipe) -> None:
        self.run, self.recipe = run, recipe
        self.folder = run.out / "transformer"
        self.tokenizer = load_tokenizer(run)
        self.vae = load_vae(run)
        torch.manual_seed(0)
        self.model = Model(self.tokenizer, plain_attention=run.device == "cpu").to(run.device)
        self.parameters = dict(self.model.named_parameters())
        self.ema = Ema(self.parameters, recipe.ema)
        self.optimizers = _optimizers(self.parameters, recipe, torch.device(run.device))
        self.randomness = Randomness(7)
        self.empty = torch.from_numpy(tokenize(self.tokenizer, [""])[0].astype(np.int64))
        self.step = self.seen = self.scenes = 0
        self.end = recipe.phases[-1].until if recipe.end is None else recipe.end
        self.written: dict[str, int] = {}
        self._restore()

    def train(self) -> bool:
        """Train to the end of the last phase; True when done, False when asked to stop first."""
        clock = Clock(self.run)
        for phase in self.recipe.phases:
            until = min(phase.until, self.end)
            if self.seen < until and not clock.must_stop:
                self._train_phase(dataclasses.replace(phase, until=until), clock)
        return self.seen >= self.end

    def _train_phase(self, phase: Phase, clock: Clock) -> None:
        pool = self._pool(phase.pool)
        pool.fill(self.recipe.first_fill)
        self.written[phase.pool.name] = pool.written
        validation = self._validation(phase.pool)
        losses: list[float] = []
        now = time.process_time if self.run.device == "cpu" else time.monotonic
        entered, since = self.seen, now()
        filled = pool.written
        while self.seen < phase.until and not clock.must_stop:
            pool.renew_towards(filled + (self.seen - entered) / self.recipe.reuse)
            self.written[phase.pool.name] = pool.written
            losses.append(self._step(*pool.batch(self.randomness.numpy, phase.batch)))
            if self.step % 50 == 0:
                speed = phase.batch * len(losses) / (now() - since)
                self._log(phase, loss=np.mean(losses).item(), images_per_second=speed)
                losses, since = [], now()
            if clock.must_save():
                self._save(phase)
                self._log(phase, validation=self._validate(*validation))
        self._save(phase)
        self._log(phase, validation=self._validate(*validation))

    def _step(self, tokens: torch.Tensor, latents: torch.Tensor) -> float:
        recipe, device = self.recipe, self.run.device
        self.step += 1
        share = self._share_of_rates()
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * share
        count, generator = len(tokens), self.randomness.torch
        emptied = torch.rand(count, generator=generator) < recipe.empty_captions
        tokens = torch.where(emptied[:, None], self.empty, tokens).to(device)
        times = torch.randn(count, generator=generator).sigmoid().to(device)
        noise = torch.randn(latents.shape, generator=generator).to(device)
        loss = self._loss(tokens, latents.to(device), noise, times)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.parameters.values(), 1.0)
        for optimizer in self.optimizers.values():
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.ema.update(self.step)
        self.seen += count
        return loss.item()

    def _share_of_rates(self) -> float:
        """Of their peak: a warm-up, then all, and a straight line down at the end.

        The line gives nearly what a cosine over the whole training would, without a length that must be known
        from the start (Haegele et al. 2024, arXiv 2405.18392).
        """
        warmth = min(1.0, self.step / self.recipe.warmup)
        left = (self.end - self.seen) / max(self.recipe.cooldown, 1)
        return warmth * min(1.0, max(left, 0.0))

    def _loss(
        self, tokens: torch.Tensor, latents: torch.Tensor, noise: torch.Tensor, times: torch.Tensor
    ) -> torch.Tensor:
        with hardware.mixed_precision(torch.device(self.run.device)):
            text = self.model.encoders(tokens)
            return flow.flow_loss(self.model.transformer, latents, text, noise=noise, times=times)

    def _validation(self, kind: PoolKind) -> tuple[torch.Tensor, ...]:
        """Scenes from another seed, with fixed noise and evenly spread logit-normal times."""
        tokens, latents = [], []
        for number in range(_VALIDATION_CHUNKS):
            captions, pixels = compose_chunk(self.run.images, kind, _VALIDATION_SEED, number)
            tokens.append(torch.from_numpy(tokenize(self.tokenizer, captions).astype(np.int64)))
            latents.append(encode(self.vae, pixels))
        clean = torch.cat(latents)
        generator = torch.Generator().manual_seed(_VALIDATION_SEED)
        noise = torch.randn(clean.shape, generator=generator)
        quantiles = (torch.arange(len(clean)) + 0.5) / len(clean)
        times = torch.special.ndtri(quantiles).sigmoid()
        return tuple(part.to(self.run.device) for part in (torch.cat(tokens), clean, noise, times))

    @torch.no_grad()
    def _validate(self, *batch: torch.Tensor) -> float:
        with averaged(self.parameters, self.ema):
            parts = zip(*(torch.split(part, 64) for part in batch), strict=True)
            return float(np.mean([self._loss(*part).item() for part in parts]))

    def _pool(self, kind: PoolKind) -> LatentPool:
        pool = LatentPool(
            self.run.out,
            self.run.images,
            kind,
            vae=self.vae,
            tokenizer=self.tokenizer,
            workers=self.recipe.workers,
            seed=self.scenes,
        )
        if not pool.fresh:
            pool.written = self.written.get(kind.name, 0)
        return pool

    def _log(self, phase: Phase, **entry: Any) -> None:
        self.run.log(stage=phase.pool.name.removeprefix("pool_"), step=self.step, images=self.seen, **entry)

    def _save(self, phase: Phase) -> None:
        state = {name: optimizer_tensors(optimizer) for name, optimizer in self.optimizers.items()}
        state |= {"model": dict(self.parameters), "ema": self.ema.values, "random": self.randomness.tensors()}
        numbers = {"step": self.step, "seen": self.seen, "written": self.written, "scenes": self.scenes}
        numbers |= {"size": phase.pool.size, "random": self.randomness.numbers()}
        save_state(self.folder, state, numbers)

    def _restore(self) -> None:
        if (saved := load_state(self.folder)) is None:
            return
        tensors, numbers = saved
        # A state that travelled may hold the averages alone: see the README.
        load_parameters(self.parameters, tensors.get("model", tensors["ema"]))
        self.ema.restore(tensors["ema"])
        for name, optimizer in self.optimizers.items():
            if name in tensors:
                restore_optimizer(optimizer, tensors[name])
        self.randomness.restore(tensors["random"], numbers["random"])
        self.step, self.seen, self.written = numbers["step"], numbers["seen"], numbers["written"]
        self.scenes = numbers.get("scenes", 0)


@contextlib.contextmanager
def averaged(parameters: dict[str, torch.nn.Parameter], ema: Ema) -> Iterator[None]:
    """Inside, the parameters are their averages."""
    kept = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    load_parameters(parameters, ema.values)
    try:
        yield
    finally:
        load_parameters(parameters, kept)


@torch.no_grad()
def load_parameters(parameters: dict[str, torch.nn.Parameter], values: dict[str, torch.Tensor]) -> None:
    """Copy ``values`` into ``parameters``, by name."""
    for name, parameter in parameters.items():
        parameter.copy_(values[name])


def _optimizers(
    parameters: dict[str, torch.nn.Parameter], recipe: Recipe, device: torch.device
) -> dict[str, torch.optim.Optimizer]:
    if hardware.bf16_speedup(device) < hardware.EMULATED_SPEEDUP:
        return {"adamw": _adamw(list(parameters.values()), recipe)}
    matrices = [p for name, p in parameters.items() if _is_hidden_matrix(name, p)]
    others = [p for name, p in parameters.items() if not _is_hidden_matrix(name, p)]
    muon = torch.optim.Muon(
        [{"params": matrices, "peak": recipe.matrix_learning_rate}],
        lr=recipe.matrix_learning_rate,
        weight_decay=recipe.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
    return {"muon": muon, "adamw": _adamw(others, recipe)}


def _adamw(parameters: list[torch.nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        [{"params": parameters, "peak": recipe.learning_rate}],
        lr=recipe.learning_rate,
        betas=(0.9, 0.98),
        weight_decay=recipe.weight_decay,
        fused=True,
    )


def _is_hidden_matrix(name: str, parameter: torch.nn.Parameter) -> bool:
    """Whether Muon trains it: the matrices inside blocks, modulation apart."""
    inside = "_blocks." in name or ".block." in name or ".layers." in name
    return parameter.ndim == 2 and inside and "norm" not in name and "relative_attention_bias" not in name
