"""One training step of StyleGAN2: up to four updates on a batch that rounds and processes may share.

The generator is updated, then the discriminator (1912.04958); R1 and path length regularise lazily, on every
r1_interval-th and path_length_interval-th step, by an update of their own.

A batch too large for the memory is worked off in parts, whose gradients add up. Part i of k holds the
samples i, i + k, i + 2k, ...: so the groups of the minibatch standard deviation stay those of the undivided
batch, and with them the whole step to within rounding, as long as a part's size is a multiple of
networks.STDDEV_GROUP (and even, for path length). Only smaller parts form other groups.
"""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from engines.errors import DivergedError
from engines.stylegan import augment, loss
from engines.stylegan.batches import RealImages
from engines.stylegan.config import TrainConfig
from engines.stylegan.distributed import Ranks
from engines.stylegan.networks import NoiseMode
from engines.stylegan.randomness import Draws, Purpose, numpy_rng, torch_rng
from engines.stylegan.state import TrainState

ADA_INTERVAL = 4  # steps between adjustments of the augmentation strength
PATH_LENGTH_SHRINK = 2  # half a batch suffices for path length and saves memory (1912.04958, appendix B)

DIVERGED = (
    "The training became unstable and was stopped: its numbers grew beyond all bounds. "
    "The last good snapshot is kept. Continue from it with half the learning rate or twice the gamma."
)


class Updates:
    """The updates of one training, in this process and its part of every batch."""

    def __init__(self, config: TrainConfig, reals: RealImages, state: TrainState, ranks: Ranks) -> None:
        self._config = config
        self._reals = reals
        self._state = state
        self._ranks = ranks
        self._parts = config.parts(ranks.count)
        self._part_size = config.batch // self._parts
        self._noise_mode: NoiseMode = "random" if config.noise else "none"
        self._g_parameters = _parameters(state.opt_g)
        self._d_parameters = _parameters(state.opt_d)
        self._means: dict[str, Tensor] = {}
        optimizers = (state.opt_g, state.opt_d)
        self._rates = [(group, group["lr"]) for each in optimizers for group in each.param_groups]

    def step(self) -> dict[str, float]:
        """One step; returns the losses, means over the whole batch.

        Raises DivergedError where one is not a number.
        """
        config, state = self._config, self._state
        self._set_learning_rate()
        self.update_generator()
        if config.path_length_weight and state.step % config.path_length_interval == 0:
            self.regularise_generator()
        self.update_discriminator()
        if config.gamma and state.step % config.r1_interval == 0:
            self.regularise_discriminator()
        means = self._collect()
        if not all(math.isfinite(value) for value in means.values()):
            raise DivergedError(DIVERGED)
        state.step += 1
        state.nimg += config.batch
        if "length" in means:
            state.path_length_mean = loss.moved_path_length_mean(state.path_length_mean, means.pop("length"))
        state.update_average(batch=config.batch, ema_kimg=config.ema_kimg, rampup=config.ema_rampup)
        self._adjust_augmentation(means.pop("real_sign"))
        return means

    def _set_learning_rate(self) -> None:
        share = self._config.learning_rate_at(self._state.step) / self._config.learning_rate
        for group, initial in self._rates:
            group["lr"] = initial * share

    def update_generator(self) -> None:
        """One update of the generator: its images should be called real."""

        def fool(draws: Draws) -> Iterator[Tensor]:
            images = self._generate(draws)
            value = loss.generator_loss(self._discriminate(images, Purpose.AUGMENT_TO_FOOL, draws))
            self._add_mean("loss_g", value)
            yield value

        self._track_mean_w()
        self._descend(self._state.opt_g, self._g_parameters, Purpose.GENERATOR, fool)

    def regularise_generator(self) -> None:
        """One update of the generator for even path lengths."""
        config, state = self._config, self._state
        count = max(1, self._part_size // PATH_LENGTH_SHRINK)

        def smooth(draws: Draws) -> Iterator[Tensor]:
            lengths = loss.path_lengths(
                lambda ws: state.g.synthesis(ws, self._noise_mode, draws), self._ws(draws, count), draws
            )
            penalty = loss.path_length_penalty(lengths, state.path_length_mean)
            self._add_mean("length", lengths.mean())
            self._add_mean("path_length", penalty)
            yield penalty * (config.path_length_weight * config.path_length_interval)

        self._descend(state.opt_g, self._g_parameters, Purpose.PATH_LENGTH, smooth)

    def update_discriminator(self) -> None:
        """One update of the discriminator: generated images from real ones."""

        def judge(draws: Draws) -> Iterator[Tensor]:
            with torch.no_grad():
                fakes = self._generate(draws)
            fake_logits = self._discriminate(fakes, Purpose.AUGMENT_GENERATED, draws)
            fake_loss = loss.discriminator_loss_on_fakes(fake_logits)
            yield fake_loss
            real_logits = self._discriminate(self._real_part(draws), Purpose.AUGMENT_REAL, draws)
            real_loss = loss.discriminator_loss_on_reals(real_logits)
            yield real_loss
            self._add_mean("loss_d", fake_loss + real_loss)
            self._add_mean("real_sign", real_logits.sign().mean())

        self._descend(self._state.opt_d, self._d_parameters, Purpose.DISCRIMINATOR, judge)

    def regularise_discriminator(self) -> None:
        """One update of the discriminator for small gradients at real images (R1)."""
        config = self._config

        def calm(draws: Draws) -> Iterator[Tensor]:
            penalty = loss.r1_penalty(
                lambda images: self._discriminate(images, Purpose.AUGMENT_R1, draws), self._real_part(draws)
            )
            self._add_mean("r1", penalty)
            yield penalty * (config.gamma / 2 * config.r1_interval)

        self._descend(self._state.opt_d, self._d_parameters, Purpose.DISCRIMINATOR, calm)

    def _descend(
        self,
        optimizer: torch.optim.Optimizer,
        parameters: list[nn.Parameter],
        purpose: Purpose,
        losses: Callable[[Draws], Iterator[Tensor]],
    ) -> None:
        """One optimizer step down the sum of `losses`, averaged over all parts: here this process's in turn.

        Each loss is followed back before the next is computed, so that one graph at a time is in memory.
        Gradients reach `parameters` alone, not the other network.
        """
        for part in range(self._ranks.rank, self._parts, self._ranks.count):
            for value in losses(self._draws(purpose, part)):
                # Unlike torch.autograd.grad, this gives gradients the memory layout of their parameters,
                # which fused Adam takes for granted.
                (value / self._parts).backward(inputs=parameters)  # type: ignore[no-untyped-call]
        self._ranks.add_gradients(parameters)
        optimizer.step()
        optimizer.zero_grad()

    def _draws(self, purpose: Purpose, part: int = 0, parts: int | None = None) -> Draws:
        rng = torch_rng(self._config.seed, purpose, self._state.step, self._state.device)
        return Draws(rng, part, parts or self._parts)

    def _generate(self, draws: Draws) -> Tensor:
        images: Tensor = self._state.g.synthesis(self._ws(draws, self._part_size), self._noise_mode, draws)
        return images

    def _discriminate(self, images: Tensor, purpose: Purpose, draws: Draws) -> Tensor:
        logits: Tensor = self._state.d(self._augment(images, purpose, draws))
        return logits

    def _ws(self, draws: Draws, count: int) -> Tensor:
        """float32 `[count, num_ws, w_dim]` of random latents, at times two styles in one image."""
        g, probability = self._state.g, self._config.style_mixing
        ws = g.ws(draws.normal(count, g.architecture.z_dim))
        if not probability:
            return ws
        others = g.ws(draws.normal(count, g.architecture.z_dim))
        crossover = draws.integers(1, g.architecture.num_ws, count)
        is_mixed = draws.uniform(count) < probability
        layers = torch.arange(g.architecture.num_ws, device=ws.device)
        takes_other = is_mixed[:, None] & (layers >= crossover[:, None])
        return torch.where(takes_other[:, :, None], others, ws)

    @torch.no_grad()
    def _track_mean_w(self) -> None:
        """Every process maps the whole batch, which costs next to nothing and keeps their means equal."""
        mapping = self._state.g.mapping
        z = self._draws(Purpose.GENERATOR, parts=1).normal(self._config.batch, self._state.architecture.z_dim)
        mapping.track(mapping(z))

    def _real_part(self, draws: Draws) -> Tensor:
        return self._reals.part(self._state.step, self._state.nimg, draws.rows)

    def _augment(self, images: Tensor, purpose: Purpose, draws: Draws) -> Tensor:
        if self._state.ada_p <= 0:
            return images
        drawn = augment.draw(
            numpy_rng(self._config.seed, purpose, self._state.step),
            self._config.batch,
            p=self._state.ada_p,
            resolution=images.shape[2],
            colour=self._config.ada_colour,
            rotation=self._config.ada_rotation,
        )
        return drawn[draws.rows].apply(images)

    def _add_mean(self, name: str, part_mean: Tensor) -> None:
        value = part_mean.detach().double() / self._parts
        self._means[name] = self._means[name] + value if name in self._means else value

    def _collect(self) -> dict[str, float]:
        """The means over all processes. Read all at once: each reading waits for a graphics card."""
        values = torch.stack(list(self._means.values()))
        self._ranks.add(values)
        means = dict(zip(self._means, values.tolist(), strict=True))
        self._means = {}
        return means

    def _adjust_augmentation(self, real_sign: float) -> None:
        config, state = self._config, self._state
        state.ada_signs += real_sign * config.batch
        state.ada_images += config.batch
        if not config.ada_target or state.step % ADA_INTERVAL:
            return
        state.ada_p = augment.adjusted_p(
            state.ada_p,
            signs_mean=state.ada_signs / state.ada_images,
            target=config.ada_target,
            nimg=state.ada_images,
            ada_kimg=config.ada_kimg,
            p_max=config.ada_max,
        )
        state.ada_signs, state.ada_images = 0.0, 0


def _parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
