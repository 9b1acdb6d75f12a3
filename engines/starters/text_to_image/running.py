"""What every stage of the training shares: where things lie, when to stop, what is logged, random state."""

import dataclasses
import json
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

Numbers = dict[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """One training, spread over any number of processes and machines.

    Args:
        images: folder of the drawing sets and photographs.
        out: where state, latents and log are kept; a training goes on from what lies there.
        device: ``"cpu"`` or ``"cuda"``.
        checkpoint_seconds: time between two states on disk.
        minutes: stop (with a state) after this time; None runs until all stages are done.
        stop: set it from a signal handler to stop with a state.
    """

    images: Path
    out: Path
    device: str = "cpu"
    checkpoint_seconds: float = 600.0
    minutes: float | None = None
    stop: threading.Event = dataclasses.field(default_factory=threading.Event)

    def log(self, **entry: Any) -> None:
        """Append one line to ``log.jsonl``."""
        self.out.mkdir(parents=True, exist_ok=True)
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"time": round(time.time()), **entry}) + "\n")


class Clock:
    """Says when to write a state and when to stop."""

    def __init__(self, run: Run) -> None:
        self._started = self._saved = time.monotonic()
        self._run = run

    @property
    def must_stop(self) -> bool:
        """The run was asked to stop, or the time given is over."""
        minutes = self._run.minutes
        over = minutes is not None and time.monotonic() - self._started > minutes * 60
        return over or self._run.stop.is_set()

    def must_save(self) -> bool:
        """True once every ``checkpoint_seconds``."""
        if time.monotonic() - self._saved < self._run.checkpoint_seconds:
            return False
        self._saved = time.monotonic()
        return True


class Randomness:
    """The generators of a stage: NumPy's for pictures and captions, torch's for noise and times."""

    def __init__(self, seed: int) -> None:
        self.numpy = np.random.default_rng(seed)
        self.torch = torch.Generator().manual_seed(seed)

    def tensors(self) -> dict[str, torch.Tensor]:
        """State of torch's generator."""
        return {"torch": self.torch.get_state()}

    def numbers(self) -> Numbers:
        """State of NumPy's generator."""
        return dict(self.numpy.bit_generator.state)

    def restore(self, tensors: dict[str, torch.Tensor], numbers: Numbers) -> None:
        """Go on where :meth:`tensors` and :meth:`numbers` were taken."""
        self.torch.set_state(tensors["torch"])
        self.numpy.bit_generator.state = numbers


class Ema:
    """Moving average of parameters in fp32, with a warm-up so that early averages are not stale."""

    def __init__(self, parameters: dict[str, torch.nn.Parameter], decay: float) -> None:
        self.decay = decay
        self.values = {name: p.detach().clone().float() for name, p in parameters.items()}
        self._parameters = parameters

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the parameters; ``step`` counts from 1."""
        decay = min(self.decay, (1 + step) / (10 + step))
        names = list(self.values)
        torch._foreach_lerp_(
            [self.values[name] for name in names],
            [self._parameters[name].detach() for name in names],
            1 - decay,
        )

    def restore(self, values: dict[str, torch.Tensor]) -> None:
        """Take over saved averages."""
        for name, value in values.items():
            self.values[name].copy_(value)
