"""How fast this machine is: measured once, by a process of its own, and kept in the data directory."""

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path

from django.conf import settings

from jobs import hardware

# Not while the studio is starting.
_WAIT_SECONDS = 15.0


def _path() -> Path:
    path: Path = settings.DATA_DIR / "cache" / f"speed-{hardware.device_kind()}.json"
    return path


def known() -> float | None:
    """Return the multiply-adds a second of this machine's device, in billions; None when not measured yet."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return float(json.loads(_path().read_text())["billions"])
    return None


class Measurement:
    """Measures when there is time. Several workers may try: one at a time does, and the first is enough."""

    def __init__(self, *, wait_seconds: float = _WAIT_SECONDS) -> None:
        self._not_before = time.monotonic() + wait_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._was_tried = False

    def go_on(self) -> None:
        """Start the measurement unless the figure is known or it was tried; see to its end otherwise."""
        if self._process is not None and self._process.poll() is not None:
            self._process = None
        if self._was_tried or time.monotonic() < self._not_before or known() is not None:
            return
        self._was_tried = True
        _path().parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "engines.speed", "--device", hardware.device_kind(), "--out"]
        self._process = subprocess.Popen(  # noqa: S603 -- our own interpreter and module
            [*command, str(_path())], cwd=settings.BASE_DIR, stdin=subprocess.DEVNULL
        )

    def make_way(self) -> None:
        """Nothing: it is over in seconds, most of which it takes to begin."""
