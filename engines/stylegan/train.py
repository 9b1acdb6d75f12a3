"""The training loop of StyleGAN2 with ADA: one config in, snapshots and checkpoints out."""

import time
from dataclasses import dataclass
from typing import Literal

import torch

from engines import hardware
from engines.checkpoint import load_checkpoint, save_checkpoint
from engines.dataset import PreparedDataset
from engines.errors import ConfigError, DatasetError, DivergedError
from engines.metrics.quality import Reference
from engines.progress import Control, Host, Progress, Snapshot, StepClock
from engines.stylegan.batches import RealImages
from engines.stylegan.config import TrainConfig
from engines.stylegan.distributed import Ranks
from engines.stylegan.snapshots import (
    latest_snapshot,
    measured_images,
    snapshot_folder,
    write_sample,
    write_snapshot,
)
from engines.stylegan.state import TrainState
from engines.stylegan.updates import DIVERGED, Updates

CHECKPOINTS = "checkpoints"
DTYPES = (torch.float32, torch.bfloat16)
CONTROLS = tuple(Control)
ALONE = Ranks()


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """How a training ended. `snapshot` is its last one, or None where there was no step to take."""

    outcome: Literal["finished", "stopped"]
    snapshot: Snapshot | None
    step: int
    nimg: int


def train(config: TrainConfig, host: Host, ranks: Ranks = ALONE) -> TrainResult:
    """Train until `config.steps` or the host says stop; resumes by itself where run_dir holds a checkpoint.

    Effect: writes run_dir/snapshots/<step> (model folders with a grid), run_dir/samples/<step> and
    run_dir/checkpoints/<step>; sets the number of threads of this process. On the same processor with the
    same threads, interrupted and resumed equals uninterrupted bit for bit. Of several processes (`ranks`,
    all with the same config) the first writes and asks its host.

    Raises ConfigError, DatasetError or ModelError before the first step, DivergedError during training.
    """
    torch.set_num_threads(config.threads)
    hardware.tune_allocator()
    device = hardware.training_device(config.device)
    dataset = PreparedDataset.open(config.dataset)
    checkpoint = load_checkpoint(config.run_dir / CHECKPOINTS)
    if checkpoint:
        dtype = getattr(torch, checkpoint.values["dtype"])
    else:
        probed = DTYPES.index(hardware.compute_dtype(config.precision, device))
        dtype = DTYPES[ranks.from_first(probed, device)]
    state = TrainState.create(config, dtype, device)
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
    return Training(config, dataset, state, host, ranks).run()


class Training:
    """One training under way."""

    def __init__(
        self,
        config: TrainConfig,
        dataset: PreparedDataset,
        state: TrainState,
        host: Host,
        ranks: Ranks = ALONE,
    ) -> None:
        self.config = config
        self.dataset = dataset
        self.state = state
        self.host = host
        self.ranks = ranks
        reals = RealImages(
            dataset, batch=config.batch, seed=config.seed, mirror=config.mirror, device=state.device
        )
        self.updates = Updates(config, reals, state, ranks)
        self._clock = StepClock()
        self._saved_at = time.monotonic()

    def run(self) -> TrainResult:
        """Step until the end or a stop; see `train`."""
        config, state, ranks = self.config, self.state, self.ranks
        if ranks.is_first and state.step and self._is_due():
            self._make_up_for_snapshot()
        while state.step < config.steps:
            started = time.perf_counter()
            losses = self.updates.step()
            self._clock.note(time.perf_counter() - started)
            control = self._ask_host(losses)
            if ranks.is_first:
                self._keep(control, losses)
            if control is Control.STOP and state.step < config.steps:
                return self._result("stopped")
        return self._result("finished")

    def _ask_host(self, losses: dict[str, float]) -> Control:
        """What the first process's host wants, in all processes."""
        control = self.host.progress(self._progress(losses)) if self.ranks.is_first else Control.CONTINUE
        return CONTROLS[self.ranks.from_first(CONTROLS.index(control), self.state.device)]

    def _keep(self, control: Control, losses: dict[str, float]) -> None:
        """Write what is due or asked for."""
        if self._is_due() or control in (Control.SNAPSHOT, Control.STOP):
            # The checkpoint comes first: whoever sees the snapshot can rely on resuming from it.
            self._checkpoint()
            self._snapshot(losses)
        elif control is Control.SAMPLE:
            self.host.snapshot(write_sample(self.config, self.state, losses))
        elif time.monotonic() - self._saved_at > self.config.checkpoint_seconds:
            self._checkpoint()

    def _is_due(self) -> bool:
        """Whether a snapshot belongs to the step that has just been done."""
        return self.state.step % self.config.snapshot_every == 0 or self.state.step == self.config.steps

    def _make_up_for_snapshot(self) -> None:
        """Write the snapshot that is missing where a process died between checkpoint and snapshot."""
        if not snapshot_folder(self.config.run_dir, self.state.step).is_dir():
            self._snapshot({})

    def _snapshot(self, losses: dict[str, float]) -> None:
        stats = {**losses, "ada_p": self.state.ada_p, **self._quality()}
        self.host.snapshot(write_snapshot(self.config, self.dataset, self.state, stats))

    def _quality(self) -> dict[str, float]:
        """The averaged generator's quality figures; none where there are too few pictures to measure."""
        config, device = self.config, self.state.device
        if not config.quality_samples:
            return {}
        reference = Reference.of(
            self.dataset, samples=config.quality_samples, mirror=config.mirror, device=device
        )
        if reference is None:
            return {}
        return reference.measure(measured_images(self.state.g_ema, reference.samples), device)

    def _progress(self, losses: dict[str, float]) -> Progress:
        config = self.config
        return self._clock.progress(
            step=self.state.step,
            total=config.steps,
            batch=config.batch,
            losses={**losses, "ada_p": self.state.ada_p},
        )

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
