"""Probing how fast this machine trains, while it is idle: one preset or base after the other, each once.

The probe is a process of its own (`python -m engines probe`, or `manage.py probe_base` for the training of a
LoRA), started by the train worker's parent. A job that comes ends it, on whichever worker of this machine; it
begins anew when the machine is idle again.
"""

import fcntl
import json
import logging
import os
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import IO

from django.conf import settings
from django.db import DatabaseError

from engines.stylegan.config import PRESETS
from engines.stylegan.speed import Speed
from jobs.hardware import threads_alone
from jobs.machines import this_machine
from jobs.models import Job, Machine
from jobs.processes import die_with_parent, parent_database
from training.ai_speeds import missing_bases, probe_key
from training.models import TrainingSpeed
from training.services.experiments import needs_bytes
from training.speeds import store_probe

logger = logging.getLogger(__name__)

# Not while the studio is starting, nor between two jobs that follow each other.
_WAIT_SECONDS = 20.0
# What fails so often (its memory does not suffice) is left to be measured by trainings.
_TRIES = 2
# When everything is measured: a base may be added meanwhile.
_LOOK_AGAIN_SECONDS = 60.0


class Probing:
    """One worker's part in it: of several on one machine, one at a time probes."""

    def __init__(self, *, wait_seconds: float = _WAIT_SECONDS) -> None:
        self._wait_seconds = wait_seconds
        self._not_before = time.monotonic() + wait_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[bytes] | None = None
        self._key = ""
        self._failures: Counter[str] = Counter()

    def go_on(self) -> None:
        """Start the next probe, see to the end of the one under way, or break it off for another's job."""
        if time.monotonic() < self._not_before:
            return
        try:
            with parent_database():
                self._go_on(this_machine())
        except DatabaseError:
            logger.warning("A probe has to wait for the database", exc_info=True)

    def make_way(self) -> None:
        """Break off the probe: this worker has a job to do, or leaves."""
        self._not_before = time.monotonic() + self._wait_seconds
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._end()

    def _go_on(self, machine: Machine) -> None:
        is_busy = Job.objects.working().filter(worker__startswith=f"{machine.name}:").exists()
        if is_busy:
            self.make_way()
        elif self._process is None:
            self._start(machine)
        elif self._process.poll() is not None:
            self._take_result(machine)

    def _start(self, machine: Machine) -> None:
        missing = [(key, how) for key, how in _missing(machine) if self._failures[key] < _TRIES]
        if not missing:
            self._not_before = time.monotonic() + _LOOK_AGAIN_SECONDS
            return
        if not self._take_lock():
            return
        self._key, how = missing[0]
        _result_path().unlink(missing_ok=True)
        threads = str(threads_alone(machine.cores))
        command = [sys.executable, *how]
        self._process = subprocess.Popen(  # noqa: S603 -- our own interpreter and module
            [*command, "--device", machine.device, "--threads", threads, "--out", str(_result_path())],
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509 -- as the workers' own forks
        )

    def _take_result(self, machine: Machine) -> None:
        """Write down what the probe found, if it found anything."""
        try:
            speed = Speed(**json.loads(_result_path().read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            self._failures[self._key] += 1
            logger.warning("The probe of %s found nothing", self._key)
        else:
            threads = threads_alone(machine.cores)
            store_probe(machine=machine, preset=self._key, threads=threads, speed=speed)
        self._end()

    def _take_lock(self) -> bool:
        """Have this machine's probes to oneself; False when another worker has them."""
        _result_path().parent.mkdir(parents=True, exist_ok=True)
        lock = _result_path().with_suffix(".lock").open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        return True

    def _end(self) -> None:
        self._process = None
        _result_path().unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _missing(machine: Machine) -> list[tuple[str, list[str]]]:
    """Return what has not been measured: its key, and how its probe is called. Three queries."""
    presets = [
        (preset, ["-m", "engines", "probe", "--preset", preset]) for preset in missing_presets(machine)
    ]
    bases = [
        (probe_key(base), ["manage.py", "probe_base", "--base", str(base.pk)])
        for base in missing_bases(machine)
    ]
    return presets + bases


def missing_presets(machine: Machine) -> list[str]:
    """Return the presets that a machine can train with and has not been measured for, the smallest first.

    A processor has memory enough for the large ones too, but nobody wants to wait for them. Two queries.
    """
    known = TrainingSpeed.objects.filter(
        machine=machine, device=machine.device_name, threads=threads_alone(machine.cores)
    )
    measured = set(known.values_list("preset", flat=True))
    needed = {name: needs_bytes(preset, {}) for name, preset in PRESETS.items() if name not in measured}
    most = machine.device_bytes if machine.device == "cuda" else 0
    return [name for name, nbytes in needed.items() if nbytes <= most]


def _result_path() -> Path:
    path: Path = settings.DATA_DIR / "cache" / "probe.json"
    return path
