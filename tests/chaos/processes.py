"""The studio's processes, one by one, so that each can be killed, paused and started again."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from config.keeper import RedisServer

WORKERS = ("train-1", "generate-1", "generate-2", "light-1")
ROLES = (*WORKERS, "dispatch-1", "web-1", "redis-1")


class Processes:
    """What `manage.py studio` runs on one machine, and a Redis of its own."""

    def __init__(self, data_dir: Path, environment: Mapping[str, str], port: int) -> None:
        self._data_dir = data_dir
        self._environment = {**environment, "ATELIER_PORT": str(port), "WEB_WORKERS": "1", "WEB_THREADS": "4"}
        self._running: dict[str, subprocess.Popen] = {}
        self._start_at: dict[str, float] = {}
        self._paused: dict[int, float] = {}
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise)

    def start_all(self) -> None:
        for role in sorted(ROLES, reverse=True):
            self.start(role)
        self._supervisor.start()

    def start(self, role: str) -> None:
        kind, _number = role.split("-")
        if kind == "redis":
            redis = RedisServer(self._data_dir)
            redis.prepare()
            self._running[role] = redis.start()
            return
        commands = {
            "dispatch": ["manage.py", "dispatch"],
            "web": ["-m", "gunicorn", "--config", "python:config.gunicorn"],
        }
        command = commands.get(kind, ["manage.py", "worker", kind])
        with (self._data_dir / f"{role}.log").open("ab") as log:
            self._running[role] = subprocess.Popen(
                [sys.executable, *command], env=self._environment, stdout=log, stderr=log
            )

    def kill(self, role: str, rng: random.Random, number: int = signal.SIGKILL) -> None:
        """Kill a process; its supervisor starts it again a moment later."""
        with self._lock:
            process = self._running[role]
            process.send_signal(number)
            if number == signal.SIGKILL:
                process.wait()
                self._start_at[role] = time.monotonic() + rng.uniform(0, 1.5)

    def kill_child(self, role: str) -> bool:
        """Kill what a worker has forked. Return whether there was something."""
        children = self.children(role)
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        return bool(children)

    def pause(self, role: str, seconds: float) -> None:
        """Stop a worker and its child in their tracks; they go on as if nothing had been."""
        with self._lock:
            for pid in (self._running[role].pid, *self.children(role)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
                    self._paused[pid] = time.monotonic() + seconds

    def _supervise(self) -> None:
        """Start what has ended, wake what has been paused for long enough, whatever the script waits for."""
        while not self._ended.wait(0.05):
            now = time.monotonic()
            with self._lock:
                for pid in [pid for pid, until in self._paused.items() if until <= now]:
                    del self._paused[pid]
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGCONT)
                for role, process in list(self._running.items()):
                    if process.poll() is not None and self._start_at.setdefault(role, now) <= now:
                        del self._start_at[role]
                        self.start(role)

    def role_of(self, worker: str) -> str | None:
        """Return which process goes by a worker's name ("host:queue:pid:..."), if it still runs."""
        pid = int(worker.split(":")[-2])
        return next((role for role, process in self._running.items() if process.pid == pid), None)

    def children(self, role: str) -> list[int]:
        pid = self._running[role].pid
        try:
            return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except FileNotFoundError:
            return []

    def stop_all(self) -> None:
        """End everything for good; a worker's children die with it."""
        self._ended.set()
        self._supervisor.join()
        for pid in self._paused:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        for process in self._running.values():
            process.kill()
        for process in self._running.values():
            process.wait()
