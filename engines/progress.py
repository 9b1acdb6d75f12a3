"""How a long-running engine talks to whoever started it.

An engine knows nothing about its host: it calls `Host.progress` about once a step and obeys the `Control` it
gets back.
"""

import enum
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TextIO

_SPEED_DECAY = 0.95  # of the running mean of seconds per step


class Control(enum.Enum):
    """What the engine does next, after the step it has just finished."""

    CONTINUE = "continue"
    SAMPLE = "sample"  # write a grid of the fixed seeds, without weights
    SNAPSHOT = "snapshot"  # write a model folder now
    STOP = "stop"  # write a snapshot and a checkpoint, then return


@dataclass(frozen=True, kw_only=True)
class Progress:
    """State after one step. `eta_seconds` is None until the speed is known."""

    step: int
    total: int
    losses: Mapping[str, float] = field(default_factory=dict)
    images_per_second: float = 0.0
    eta_seconds: float | None = None
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A folder that is completely on disk: a model folder with its grid, or a grid alone (`is_sample`)."""

    folder: Path
    grid: Path
    step: int
    nimg: int
    is_sample: bool = False
    stats: Mapping[str, float] = field(default_factory=dict)


class StepClock:
    """How long steps take lately, from which the rest is estimated."""

    def __init__(self) -> None:
        self._seconds: float | None = None

    def note(self, seconds: float) -> None:
        """A step took so long."""
        if self._seconds is None:
            self._seconds = seconds
        else:
            self._seconds = _SPEED_DECAY * self._seconds + (1 - _SPEED_DECAY) * seconds

    def progress(self, *, step: int, total: int, batch: int, losses: Mapping[str, float]) -> Progress:
        """The state after `step` of `total` steps, of `batch` images each."""
        seconds = self._seconds or 0.0
        return Progress(
            step=step,
            total=total,
            losses=losses,
            images_per_second=batch / seconds if seconds else 0.0,
            eta_seconds=seconds * (total - step) if seconds else None,
        )


class Host(Protocol):
    """The caller of an engine. Both methods run on the engine's thread, so they must be quick."""

    def progress(self, progress: Progress) -> Control:
        """Called after every step; the host throttles what it passes on."""

    def snapshot(self, snapshot: Snapshot) -> None:
        """Called when a snapshot or a sample is completely on disk."""


class SilentHost:
    """Lets the engine run to its end without a word."""

    def progress(self, progress: Progress) -> Control:
        """Always goes on."""
        return Control.CONTINUE

    def snapshot(self, snapshot: Snapshot) -> None:
        """Says nothing."""


class TerminalHost:
    """One line that rewrites itself on a terminal; elsewhere plain lines, far fewer.

    `request_stop` may be called from a signal handler: the engine then saves itself and returns.
    """

    BAR_WIDTH = 24

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._interval = 0.2 if self._is_terminal else 15.0
        self._last_shown = 0.0
        self._stop = False

    def request_stop(self) -> None:
        """Stop after the step under way."""
        self._stop = True

    def progress(self, progress: Progress) -> Control:
        """Rewrites the line, a few times a second at most."""
        now = time.monotonic()
        if now - self._last_shown >= self._interval or progress.step >= progress.total:
            self._last_shown = now
            self._show(self.line(progress), end="\r" if self._is_terminal else "\n")
        return Control.STOP if self._stop else Control.CONTINUE

    def snapshot(self, snapshot: Snapshot) -> None:
        """Says where it lies."""
        self._show(f"step {snapshot.step}: saved {snapshot.folder}", end="\n")

    def line(self, progress: Progress) -> str:
        """The progress line, for example `[####----] step 20 of 40  8.1 images/s  4 s left  loss_d 1.2`."""
        filled = self.BAR_WIDTH * progress.step // max(progress.total, 1)
        parts = [
            f"[{'#' * filled}{'-' * (self.BAR_WIDTH - filled)}]",
            f"step {progress.step} of {progress.total}",
        ]
        if progress.images_per_second:
            parts.append(f"{progress.images_per_second:.1f} images/s")
        if progress.eta_seconds is not None:
            parts.append(f"{_duration(progress.eta_seconds)} left")
        parts += [f"{name} {value:.3g}" for name, value in progress.losses.items()]
        if progress.message:
            parts.append(progress.message)
        return "  ".join(parts)

    def _show(self, text: str, *, end: str) -> None:
        clear_to_end = "\x1b[K" if self._is_terminal else ""
        self._stream.write(f"{text}{clear_to_end}{end}")
        self._stream.flush()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
