"""The training loop of LoRAs: one config in, snapshots and checkpoints out, for every family of bases."""

import hashlib
import time
from dataclasses import dataclass
from typing import Literal

import torch

from engines import hardware
from engines.checkpoint import all_finite, load_checkpoint, save_checkpoint
from engines.diffusion.base import Base
from engines.diffusion.config import TrainConfig
from engines.diffusion.folders import read_base
from engines.diffusion.snapshots import SNAPSHOTS, latest_snapshot, write_sample, write_snapshot
from engines.diffusion.state import NAME, TrainState
from engines.diffusion.training_speed import speed_up, training_dtype
from engines.diffusion.updates import DIVERGED, Updates
from engines.diffusion.views import encode_views
from engines.errors import DatasetError, DivergedError
from engines.files import sha256_file
from engines.progress import Control, Host, Progress, Snapshot, StepClock

CHECKPOINTS = "checkpoints"


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """How a training ended. `snapshot` is its last one, or None where there was none."""

    outcome: Literal["finished", "stopped"]
    snapshot: Snapshot | None
    step: int


def train(config: TrainConfig, host: Host) -> TrainResult:
    """Train until `config.steps` or the host says stop; resumes by itself where run_dir holds a checkpoint.

    Effect: writes run_dir/snapshots/<step> (LoRA and grid), run_dir/samples/<step> and
    run_dir/checkpoints/<step>; sets the number of threads of this process. On the same processor with the
    same threads, interrupted and resumed equals uninterrupted bit for bit.

    Raises ConfigError, DatasetError or ModelError before the first step, DivergedError during training, and
    ConfigError where the batch does not fit into memory even by halves.
    """
    torch.set_num_threads(config.threads)
    hardware.tune_allocator()
    device = hardware.training_device(config.device)
    checkpoint = load_checkpoint(config.run_dir / CHECKPOINTS)
    if checkpoint:
        dtype = getattr(torch, checkpoint.values["dtype"])
    elif config.precision == "auto":
        info = read_base(config.base)
        denoiser = "unet" if "unet" in info.parameters else "transformer"
        dtype = training_dtype(config.base, info.parameters[denoiser], device)
    else:
        dtype = hardware.compute_dtype(config.precision, device)
    identity = dataset_fingerprint(config)
    if checkpoint and checkpoint.values["dataset"] != identity:
        raise DatasetError("The pictures have changed since this training was saved. Start a new one.")
    base = Base.open(config.base, device=device, dtype=dtype)
    if config.gradient_checkpointing:
        base.pipeline.components[base.family.denoiser].enable_gradient_checkpointing()
    views = encode_views(base, config)
    state = TrainState.create(base, config)
    speed_up(base, NAME)
    state.values = {"dataset": identity, "dtype": str(dtype).removeprefix("torch.")}
    if checkpoint:
        state.restore(checkpoint)
    return Training(config, state, Updates(config, state, views), host).run()


def dataset_fingerprint(config: TrainConfig) -> str:
    """The identity of the pictures and their captions, in hexadecimal."""
    lines = [f"{sha256_file(picture.path)} {config.captions_of(picture)}\n" for picture in config.pictures]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


class Training:
    """One training under way."""

    def __init__(self, config: TrainConfig, state: TrainState, updates: Updates, host: Host) -> None:
        self.config, self.state, self.updates, self.host = config, state, updates, host
        self._clock = StepClock()
        self._saved_at = time.monotonic()

    def run(self) -> TrainResult:
        """Step until the end or a stop; see `train`."""
        config, state = self.config, self.state
        if state.step and self._is_due() and not self._snapshot_folder_is_there():
            self.host.snapshot(write_snapshot(config, state, {}))  # a process died between the two
        while state.step < config.steps:
            started = time.perf_counter()
            losses = self.updates.step()
            self._clock.note(time.perf_counter() - started)
            control = self.host.progress(self._progress(losses))
            self._keep(control, losses)
            if control is Control.STOP and state.step < config.steps:
                return self._result("stopped")
        return self._result("finished")

    def _keep(self, control: Control, losses: dict[str, float]) -> None:
        """Write what is due or asked for."""
        if self._is_due() or control in (Control.SNAPSHOT, Control.STOP):
            # The checkpoint comes first: whoever sees the snapshot can rely on resuming from it.
            self._checkpoint()
            self.host.snapshot(write_snapshot(self.config, self.state, losses))
        elif control is Control.SAMPLE:
            self.host.snapshot(write_sample(self.config, self.state, losses))
        elif time.monotonic() - self._saved_at > self.config.checkpoint_seconds:
            self._checkpoint()

    def _is_due(self) -> bool:
        return self.state.step % self.config.snapshot_every == 0 or self.state.step == self.config.steps

    def _snapshot_folder_is_there(self) -> bool:
        return (self.config.run_dir / SNAPSHOTS / f"{self.state.step:06d}").is_dir()

    def _checkpoint(self) -> None:
        if not all_finite({**self.state.parameters, **self.state.average}):
            raise DivergedError(DIVERGED)
        save_checkpoint(self.config.run_dir / CHECKPOINTS, self.state.step, self.state.checkpoint())
        self._saved_at = time.monotonic()

    def _progress(self, losses: dict[str, float]) -> Progress:
        config = self.config
        return self._clock.progress(
            step=self.state.step, total=config.steps, batch=config.batch, losses=losses
        )

    def _result(self, outcome: Literal["finished", "stopped"]) -> TrainResult:
        return TrainResult(
            outcome=outcome, snapshot=latest_snapshot(self.config.run_dir), step=self.state.step
        )
