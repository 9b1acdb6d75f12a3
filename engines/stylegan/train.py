"""The training loop of StyleGAN2 with ADA: one config in, snapshots and checkpoints out.

A step updates the generator, then the discriminator, each on one batch (1912.04958); R1 and path length
regularise lazily, on every r1_interval-th and path_length_interval-th step, by an update of their own.
"""

import math
import time
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from engines.checkpoint import load_checkpoint, save_checkpoint
from engines.dataset import PreparedDataset
from engines.errors import ConfigError, DatasetError, DivergedError
from engines.images import to_float
from engines.progress import Control, Host, Progress, Snapshot
from engines.stylegan import augment, hardware, loss
from engines.stylegan.config import TrainConfig
from engines.stylegan.networks import NoiseMode
from engines.stylegan.randomness import Purpose, numpy_rng, torch_rng
from engines.stylegan.snapshots import latest_snapshot, snapshot_folder, write_sample, write_snapshot
from engines.stylegan.state import TrainState

CHECKPOINTS = "checkpoints"
ADA_INTERVAL = 4  # steps between adjustments of the augmentation strength
SPEED_DECAY = 0.95  # of the running mean of seconds per step, from which the rest is estimated

DIVERGED = (
    "The training became unstable and was stopped: its numbers grew beyond all bounds. "
    "The last good snapshot is kept. Continue from it with half the learning rate or twice the gamma."
)


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """How a training ended. `snapshot` is its last one, or None where there was no step to take."""

    outcome: Literal["finished", "stopped"]
    snapshot: Snapshot | None
    step: int
    nimg: int


def train(config: TrainConfig, host: Host) -> TrainResult:
    """Train until `config.steps` or the host says stop; resumes by itself where run_dir holds a checkpoint.

    Effect: writes run_dir/snapshots/<step> (model folders with a grid), run_dir/samples/<step> and
    run_dir/checkpoints/<step>; sets the number of threads of this process. On the same machine with the same
    threads, interrupted and resumed equals uninterrupted bit for bit.

    Raises ConfigError, DatasetError or ModelError before the first step, DivergedError during training.
    """
    torch.set_num_threads(config.threads)
    hardware.tune_allocator()
    dataset = PreparedDataset.open(config.dataset)
    checkpoint = load_checkpoint(config.run_dir / CHECKPOINTS)
    if checkpoint:
        dtype = getattr(torch, checkpoint.values["dtype"])
    else:
        dtype = hardware.compute_dtype(config.precision, torch.device("cpu"))
    state = TrainState.create(config, dtype)
    if state.architecture.resolution != dataset.resolution:
        raise ConfigError(
            f"The pictures are prepared at {dataset.resolution} pixels, the starting point works at "
            f"{state.architecture.resolution}. Prepare them again at {state.architecture.resolution}."
        )
    if checkpoint:
        if checkpoint.values["dataset"] != dataset.fingerprint:
            raise DatasetError(
                "The pictures have changed since this training was saved. Start a new one from it."
            )
        state.restore(checkpoint)
    return Training(config, dataset, state, host).run()


class Training:
    """One training under way."""

    def __init__(self, config: TrainConfig, dataset: PreparedDataset, state: TrainState, host: Host) -> None:
        self.config = config
        self.dataset = dataset
        self.state = state
        self.host = host
        self._images = dataset.images
        self._order = (-1, np.empty(0, np.int64))
        self._seconds_per_step: float | None = None
        self._saved_at = time.monotonic()
        self._noise_mode: NoiseMode = "random" if config.noise else "none"
        self._g_parameters = [
            parameter for group in state.opt_g.param_groups for parameter in group["params"]
        ]
        self._d_parameters = [
            parameter for group in state.opt_d.param_groups for parameter in group["params"]
        ]

    def run(self) -> TrainResult:
        """Step until the end or a stop; see `train`."""
        config, state = self.config, self.state
        losses: dict[str, float] = {}
        if state.step and self._is_due() and not snapshot_folder(config.run_dir, state.step).is_dir():
            # The process died between the checkpoint and its snapshot.
            self.host.snapshot(write_snapshot(config, self.dataset, state, {"ada_p": state.ada_p}))
        while state.step < config.steps:
            started = time.perf_counter()
            losses = self.step()
            self._measure(time.perf_counter() - started)
            control = self.host.progress(self._progress(losses))
            if self._is_due() or control in (Control.SNAPSHOT, Control.STOP):
                self._save(losses)
            elif control is Control.SAMPLE:
                self.host.snapshot(write_sample(config, state, losses))
            elif time.monotonic() - self._saved_at > config.checkpoint_seconds:
                self._checkpoint()
            if control is Control.STOP and state.step < config.steps:
                return self._result("stopped")
        return self._result("finished")

    def _is_due(self) -> bool:
        """Whether a snapshot belongs to the step that has just been done."""
        return self.state.step % self.config.snapshot_every == 0 or self.state.step == self.config.steps

    def step(self) -> dict[str, float]:
        """One update of everything; returns the losses. Raises DivergedError where one is not a number."""
        config, state = self.config, self.state
        losses = {"loss_g": self._update_generator()}
        if config.path_length_weight and state.step % config.path_length_interval == 0:
            losses["path_length"] = self._regularise_generator()
        reals = self._real_batch()
        losses["loss_d"] = self._update_discriminator(reals)
        if config.gamma and state.step % config.r1_interval == 0:
            losses["r1"] = self._regularise_discriminator(reals)
        if not all(math.isfinite(value) for value in losses.values()):
            raise DivergedError(DIVERGED)
        state.step += 1
        state.nimg += config.batch
        state.update_average(batch=config.batch, ema_kimg=config.ema_kimg, rampup=config.ema_rampup)
        if config.ada_target and state.step % ADA_INTERVAL == 0:
            self._adjust_augmentation()
        return losses

    def _update_generator(self) -> float:
        rng = torch_rng(self.config.seed, Purpose.GENERATOR, self.state.step)
        fakes = self.state.g.synthesis(self._ws(rng, self.config.batch, track=True), self._noise_mode, rng)
        logits = self.state.d(self._augment(fakes, Purpose.AUGMENT_TO_FOOL))
        value = loss.generator_loss(logits)
        _descend(self.state.opt_g, self._g_parameters, value)
        return value.item()

    def _regularise_generator(self) -> float:
        config, state = self.config, self.state
        rng = torch_rng(config.seed, Purpose.PATH_LENGTH, state.step)
        ws = self._ws(rng, max(1, config.batch // 2))  # half a batch suffices and saves memory (appendix B)
        lengths = loss.path_lengths(lambda given: state.g.synthesis(given, self._noise_mode, rng), ws, rng)
        penalty, mean = loss.path_length_penalty(lengths, torch.tensor(state.path_length_mean))
        state.path_length_mean = mean.item()
        _descend(
            state.opt_g, self._g_parameters, penalty * config.path_length_weight * config.path_length_interval
        )
        return penalty.item()

    def _update_discriminator(self, reals: Tensor) -> float:
        rng = torch_rng(self.config.seed, Purpose.DISCRIMINATOR, self.state.step)
        with torch.no_grad():
            fakes = self.state.g.synthesis(self._ws(rng, self.config.batch), self._noise_mode, rng)
            fakes = self._augment(fakes, Purpose.AUGMENT_GENERATED)
            augmented = self._augment(reals, Purpose.AUGMENT_REAL)
        fake_logits, real_logits = self.state.d(torch.cat([fakes, augmented]), batches=2).chunk(2)
        value = loss.discriminator_loss(fake_logits, real_logits)
        _descend(self.state.opt_d, self._d_parameters, value)
        self.state.ada_signs += real_logits.detach().sign().sum().item()
        self.state.ada_images += len(reals)
        return value.item()

    def _regularise_discriminator(self, reals: Tensor) -> float:
        config = self.config
        penalty = loss.r1_penalty(
            lambda images: self.state.d(self._augment(images, Purpose.AUGMENT_R1)),
            reals,
        )
        _descend(self.state.opt_d, self._d_parameters, penalty * (config.gamma / 2 * config.r1_interval))
        return penalty.item()

    def _ws(self, rng: torch.Generator, count: int, *, track: bool = False) -> Tensor:
        """float32 `[count, num_ws, w_dim]` of random latents, at times two styles in one image."""
        g = self.state.g
        w = g.mapping(torch.randn(count, g.architecture.z_dim, generator=rng))
        if track:
            g.mapping.track(w)
        ws = g.broadcast(w)
        if self.config.style_mixing and torch.rand([], generator=rng).item() < self.config.style_mixing:
            cutoff = int(torch.randint(1, g.architecture.num_ws, [], generator=rng))
            other = g.ws(torch.randn(count, g.architecture.z_dim, generator=rng))
            ws = torch.cat([ws[:, :cutoff], other[:, cutoff:]], dim=1)
        return ws

    def _augment(self, images: Tensor, purpose: Purpose) -> Tensor:
        if self.state.ada_p <= 0:
            return images
        drawn = augment.draw(
            numpy_rng(self.config.seed, purpose, self.state.step),
            len(images),
            p=self.state.ada_p,
            resolution=images.shape[2],
            colour=self.config.ada_colour,
            rotation=self.config.ada_rotation,
        )
        return drawn.apply(images)

    def _adjust_augmentation(self) -> None:
        config, state = self.config, self.state
        state.ada_p = augment.adjusted_p(
            state.ada_p,
            signs_mean=state.ada_signs / state.ada_images,
            target=config.ada_target,
            nimg=state.ada_images,
            ada_kimg=config.ada_kimg,
            p_max=config.ada_max,
        )
        state.ada_signs, state.ada_images = 0.0, 0

    def _real_batch(self) -> Tensor:
        """The next images of an endless sequence of shuffled epochs: float32 `[batch, 3, R, R]`."""
        positions = range(self.state.nimg, self.state.nimg + self.config.batch)
        images = self._images[[self._shuffled(position) for position in positions]]
        if self.config.mirror:
            rng = numpy_rng(self.config.seed, Purpose.MIRROR, self.state.step)
            flipped = rng.random(len(images)) < 0.5
            images[flipped] = images[flipped, :, ::-1]
        return torch.from_numpy(to_float(images))

    def _shuffled(self, position: int) -> int:
        epoch, index = divmod(position, len(self.dataset))
        if self._order[0] != epoch:
            rng = numpy_rng(self.config.seed, Purpose.ORDER, epoch)
            self._order = (epoch, rng.permutation(len(self.dataset)))
        return int(self._order[1][index])

    def _measure(self, seconds: float) -> None:
        if self._seconds_per_step is None:
            self._seconds_per_step = seconds
        else:
            self._seconds_per_step = SPEED_DECAY * self._seconds_per_step + (1 - SPEED_DECAY) * seconds

    def _progress(self, losses: dict[str, float]) -> Progress:
        seconds = self._seconds_per_step or 0.0
        return Progress(
            step=self.state.step,
            total=self.config.steps,
            losses={**losses, "ada_p": self.state.ada_p},
            images_per_second=self.config.batch / seconds if seconds else 0.0,
            eta_seconds=seconds * (self.config.steps - self.state.step) if seconds else None,
        )

    def _save(self, losses: dict[str, float]) -> None:
        # The checkpoint comes first: whoever sees the snapshot can rely on resuming from it.
        self._checkpoint()
        stats = {**losses, "ada_p": self.state.ada_p}
        self.host.snapshot(write_snapshot(self.config, self.dataset, self.state, stats))

    def _checkpoint(self) -> None:
        if not self.state.is_finite():
            raise DivergedError(DIVERGED)
        save_checkpoint(
            self.config.run_dir / CHECKPOINTS,
            self.state.step,
            self.state.checkpoint(dataset=self.dataset.fingerprint),
        )
        self._saved_at = time.monotonic()

    def _result(self, outcome: Literal["finished", "stopped"]) -> TrainResult:
        return TrainResult(
            outcome=outcome,
            snapshot=latest_snapshot(self.config.run_dir),
            step=self.state.step,
            nimg=self.state.nimg,
        )


def _descend(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], value: Tensor) -> None:
    """One optimizer step down `value`, with gradients for `parameters` alone, not for the other network."""
    # Unlike torch.autograd.grad, this gives gradients the memory layout of their parameters, which fused Adam
    # takes for granted.
    value.backward(inputs=parameters)  # type: ignore[no-untyped-call]
    optimizer.step()
    optimizer.zero_grad()
