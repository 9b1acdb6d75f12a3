"""One step of a LoRA training: what is shown, the loss, and what happens when memory runs out."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from engines.checkpoint import load_tensors, save_tensors
from engines.diffusion.base import Base
from engines.diffusion.config import TrainConfig
from engines.diffusion.families import Text
from engines.diffusion.generate import generate_latents
from engines.diffusion.lora import NO_LORA
from engines.diffusion.objectives import Objective, objective_of
from engines.diffusion.per_sample import per_sample
from engines.diffusion.randomness import Purpose, numpy_rng, torch_rng
from engines.diffusion.state import TrainState
from engines.diffusion.surroundings import PLACES
from engines.diffusion.views import Size, View, Views
from engines.errors import ConfigError, DivergedError
from engines.hardware import free_memory, is_out_of_memory

LARGEST_GRADIENT = 1.0
TEXTS_AT_ONCE = 8
PRIOR_AT_ONCE = 4
PRIOR_FILE = "prior.safetensors"
DIVERGED = (
    "The training went out of control. Its last snapshot is kept; start again with a lower learning rate."
)


class Shown:
    """Which views and captions belong to a step: a function of the seed and the step."""

    def __init__(self, config: TrainConfig, views: Views) -> None:
        self._config = config
        self._buckets = views.by_bucket()
        self._batches = {size: -(-len(rows) // config.batch) for size, rows in self._buckets.items()}

    def at(self, step: int) -> tuple[Size, list[View], list[str]]:
        """Bucket, views and captions of the step after `step` others."""
        config = self._config
        epoch, index = divmod(step, sum(self._batches.values()))
        rng = numpy_rng(config.seed, Purpose.ORDER, epoch)
        batches = [
            (size, [rows[number] for number in part])
            for size, rows in self._buckets.items()
            for part in _parts(rng.permutation(len(rows)).tolist(), config.batch)
        ]
        size, views = batches[int(rng.permutation(len(batches))[index])]
        chosen = numpy_rng(config.seed, Purpose.CAPTION, step)
        captions = []
        for view in views:
            options = self._captions_of(view)
            captions.append(options[int(chosen.integers(len(options)))])
        dropped = numpy_rng(config.seed, Purpose.DROP, step).random(len(views)) < config.caption_dropout
        kept = ["" if drop else caption for drop, caption in zip(dropped, captions, strict=True)]
        return size, views, kept

    def _captions_of(self, view: View) -> tuple[str, ...]:
        config = self._config
        if view.place is None:
            return config.captions_of(config.pictures[view.picture])
        return config.captions_in(view.place)


class Prior:
    """Pictures that the bare base makes of the class, so that it is not forgotten (2208.12242).

    Made once: run_dir/prior.safetensors keeps their latents for those who resume.
    """

    def __init__(self, base: Base, config: TrainConfig) -> None:
        self._config = config
        count = config.prior_pictures
        plain = [config.filled(template.replace("{keyword} ", "")) for template in config.templates]
        places = ["", *(f" {place}" for place in PLACES)] if config.surroundings else [""]
        self.captions = [plain[number % len(plain)] + places[number % len(places)] for number in range(count)]
        path = config.run_dir / PRIOR_FILE
        if count and not path.is_file():
            draft = path.with_suffix(".part")
            config.run_dir.mkdir(parents=True, exist_ok=True)
            save_tensors(draft, {"latents": self._made(base)})
            draft.rename(path)
        self.latents = load_tensors(path)["latents"] if count else torch.empty(0)

    def at(self, step: int) -> tuple[Tensor, list[str]]:
        """Latents and captions of a step: half as many as of the subject."""
        rng = numpy_rng(self._config.seed, Purpose.PRIOR, step + 1)
        rows = rng.integers(len(self.captions), size=max(1, self._config.batch // 2)).tolist()
        return self.latents[rows], [self.captions[row] for row in rows]

    def _made(self, base: Base) -> Tensor:
        config = self._config
        side = (config.resolution or base.resolution) // base.multiple * base.multiple
        seeds = numpy_rng(config.seed, Purpose.PRIOR).integers(2**31, size=len(self.captions)).tolist()
        parts = []
        for start in range(0, len(seeds), PRIOR_AT_ONCE):
            rows = slice(start, start + PRIOR_AT_ONCE)
            prompts, steps = self.captions[rows], config.prior_steps
            parts.append(generate_latents(base, prompts, seeds[rows], width=side, height=side, steps=steps))
        return torch.cat(parts)


class Updates:
    """Makes steps; `state` is what they change."""

    def __init__(self, config: TrainConfig, state: TrainState, views: Views) -> None:
        self.config, self.state, self.base = config, state, state.base
        self.objective: Objective = objective_of(self.base)
        self.views, self.shown = views, Shown(config, views)
        self.prior = Prior(self.base, config)
        self._texts: dict[str, Text] = {}
        if not config.text_learning_rate and not config.keyword_learning_rate:
            self._encode_all()

    def step(self) -> dict[str, float]:
        """Change the weights once; returns the losses. Raises DivergedError before anything is spoilt."""
        config, state = self.config, self.state
        losses = self._gradients_if_they_fit(state.parts) or self._gradients_in_halves()
        norm = torch.nn.utils.clip_grad_norm_(state.parameters.values(), LARGEST_GRADIENT)
        if not all(map(math.isfinite, (*losses.values(), float(norm)))):
            raise DivergedError(DIVERGED)
        state.set_learning_rate(config.learning_rate_at(state.step))
        state.optimizer.step()
        state.optimizer.zero_grad(set_to_none=True)
        state.step += 1
        state.update_average(config.ema)
        return losses

    def _gradients_in_halves(self) -> dict[str, float]:
        """Once, go on with half a batch at a time; then say what would fit."""
        state, batch = self.state, self.config.batch
        if state.parts == 1 and batch > 1:
            state.parts = 2
            if losses := self._gradients_if_they_fit(state.parts):
                return losses
        at_once = -(-batch // state.parts)
        for fewer in (batch // 4, 1):
            if 0 < fewer < at_once and self._gradients_if_they_fit(-(-batch // fewer)):
                raise ConfigError(
                    f"{at_once} pictures at once do not fit into memory; {fewer} would. "
                    f"Start again with a batch of {fewer}."
                )
        raise ConfigError(
            "Not even one picture at a time fits into memory. Choose a lower resolution, a lower rank or "
            "gradient checkpointing."
        )

    def _gradients_if_they_fit(self, parts: int) -> dict[str, float] | None:
        """None where memory runs out; what was reserved is free again when this returns."""
        try:
            return self._gradients(parts)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        self._forget()
        return None

    def _forget(self) -> None:
        self.state.optimizer.zero_grad(set_to_none=True)
        free_memory(self.base.device)

    def _gradients(self, parts: int) -> dict[str, float]:
        """Gradients of the whole batch, taken in parts; which parts makes no difference to what is drawn."""
        size, views, captions = self.shown.at(self.state.step)
        rows = [view.row for view in views]
        shown, weights = self.views.latents[size][rows], self.views.weights[size][rows]
        losses = {"loss": self._backward(shown, weights, captions, parts, stream=0)}
        if self.config.prior_pictures:
            latents, captions = self.prior.at(self.state.step)
            weights = torch.full_like(latents[:, :1], self.config.prior_weight)
            losses["loss_prior"] = self._backward(latents, weights, captions, parts, stream=1)
        return losses

    def _backward(
        self, latents: Tensor, weights: Tensor, captions: Sequence[str], parts: int, *, stream: int
    ) -> float:
        count, seed, number = len(latents), self.config.seed, 2 * self.state.step + stream
        tokens = self.base.family.tokens((latents.shape[2], latents.shape[3]))
        noise = torch.randn(latents.shape, generator=torch_rng(seed, Purpose.NOISE, number))
        times = self.objective.draw(count, tokens, torch_rng(seed, Purpose.TIMES, number))
        total = 0.0
        for part in range(min(parts, count)):
            rows = slice(part, None, parts)
            drawn = (latents, noise, times, weights)
            clean, mixed_in, at, counting = (tensor[rows].to(self.base.device) for tensor in drawn)
            errors = self._errors(clean, mixed_in, at, self._text(captions[rows]))
            loss = (errors * counting).mean((1, 2, 3)).sum() / count
            torch.autograd.backward(loss)
            total += loss.item()
        return total

    def _errors(self, latents: Tensor, noise: Tensor, times: Tensor, text: Text) -> Tensor:
        """float32 `[N, C, H, W]`: squared errors, weighted by their times."""
        predicted = self.base.predict(self.objective.noisy(latents, noise, times), times, text)
        errors = (predicted - self.objective.target(latents, noise, times)).square()
        return self.objective.weight(times)[:, None, None, None] * errors

    def _text(self, captions: Sequence[str]) -> Text:
        if not self._texts:
            return self.base.encode_text(captions)
        rows = [self._texts[caption] for caption in captions]
        return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}

    @torch.no_grad()
    def _encode_all(self) -> None:
        """Every caption that can be shown, once: text encoders that stay as they are always say the same."""
        config = self.config
        own = (caption for picture in config.pictures for caption in config.captions_of(picture))
        places = {view.place for view in self.views.views if view.place is not None}
        placed = (caption for place in sorted(places) for caption in config.captions_in(place))
        captions = list(dict.fromkeys(("", *own, *placed, *self.prior.captions)))
        for part in _chunks(captions, TEXTS_AT_ONCE):
            with per_sample(self.base, [NO_LORA] * len(part), [1.0] * len(part)):
                text = self.base.encode_text(part)
            for number, caption in enumerate(part):
                self._texts[caption] = {name: tensor[number] for name, tensor in text.items()}


def _parts(order: list[int], size: int) -> Iterator[list[int]]:
    """Full batches; the last is filled up from the front."""
    for start in range(0, len(order), size):
        yield [order[(start + number) % len(order)] for number in range(size)]


def _chunks(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
