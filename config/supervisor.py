"""Keeps a set of programs running: starts them, restarts what dies, stops them all together."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from config.processes import die_with_parent

_FIRST_DELAY = 0.5
_LONGEST_DELAY = 30.0
# A program that ran this long was healthy: its next failure counts as the first.
_HEALTHY_AFTER = 60.0
_LARGEST_LOG = 10 * 1024 * 1024


@dataclass(kw_only=True)
class Program:
    """One long-running program and what became of it so far.

    Its standard output goes to the terminal, its standard error into `log`.
    """

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    # A program that has something to finish ends with code 0 and is not started again.
    once: bool = False
    process: subprocess.Popen[bytes] | None = None
    finished: bool = False
    started_at: float = 0.0
    start_at: float = 0.0
    delay: float = _FIRST_DELAY

    def start(self, now: float) -> None:
        """Start the program, in a process group of its own, so that Ctrl-C reaches it through us alone."""
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > _LARGEST_LOG:
            self.log.replace(self.log.with_suffix(".old.log"))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603
                self.command,
                env={**os.environ, **self.environment},
                process_group=0,
                stdin=subprocess.DEVNULL,
                stderr=log,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 -- the supervisor has one thread
            )
        self.started_at = now

    @property
    def is_running(self) -> bool:
        """Whether the program runs."""
        return self.process is not None and self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Signal the program and whatever it started in its group."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


class Supervisor:
    """Runs programs until it is asked to stop.

    `say` is told what happens, one line each. `stop` may be called by a signal handler.
    """

    def __init__(self, programs: Sequence[Program], *, say: Callable[[str], None]) -> None:
        self.programs = list(programs)
        self.stopping = False
        self._say = say

    def stop(self) -> None:
        """Ask `run` to end; asking twice does no harm."""
        self.stopping = True

    def tick(self) -> None:
        """Start what shall run and does not, as soon as its waiting time is over."""
        now = time.monotonic()
        for program in self.programs:
            if program.is_running or program.finished:
                continue
            if program.process is not None:
                self._note_end(program, now)
            if not program.finished and now >= program.start_at:
                program.start(now)

    def run(self, *, every: Callable[[], None] | None = None, interval: float = 0.2) -> None:
        """Supervise until `stop` is called; `every` is called at each turn."""
        while not self.stopping:
            self.tick()
            if every is not None:
                every()
            time.sleep(interval)

    def shut_down(self, *, grace_seconds: float) -> None:
        """Stop all programs: ask politely, wait, then kill what is left."""
        self.stopping = True
        for program in self.programs:
            if program.is_running:
                program.send(signal.SIGTERM)
        deadline = time.monotonic() + grace_seconds
        for program in self.programs:
            if program.process is None:
                continue
            try:
                program.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._say(f"{program.name} does not stop; ending it.")
            program.send(signal.SIGKILL)
            program.process.wait()

    def _note_end(self, program: Program, now: float) -> None:
        code = program.process.returncode if program.process else 0
        program.process = None
        if program.once and code == 0:
            program.finished = True
            return
        if now - program.started_at > _HEALTHY_AFTER:
            program.delay = _FIRST_DELAY
        program.start_at = now + program.delay
        self._say(
            f"{program.name} ended ({describe_exit(code)}); starting it again in {program.delay:g} s. "
            f"Its log: {program.log}"
        )
        program.delay = min(program.delay * 2, _LONGEST_DELAY)


def describe_exit(code: int) -> str:
    """Return an exit code in words: the code, or the signal's name."""
    if code >= 0:
        return f"code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


def manage(*arguments: str) -> list[str]:
    """Return the command line of a `manage.py` command, for this interpreter."""
    return [sys.executable, str(Path(__file__).resolve().parent.parent / "manage.py"), *arguments]
