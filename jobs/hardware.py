"""What this machine is made of, found without importing torch: a worker's parent must stay clean of it."""

import contextlib
import importlib.metadata
import logging
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.conf import settings

logger = logging.getLogger(__name__)

_PATIENCE_SECONDS = 20
# What a container may use, as the kernel's control groups say (versions 2 and 1).
_MEMORY_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


@dataclass(frozen=True, kw_only=True)
class Device:
    """Where engines compute.

    Attributes:
        kind: "cpu" or "cuda".
        name: as its maker calls it.
        nbytes: its memory; of the machine itself where that is its processor.
        driver: the version of its driver; empty for a processor.
    """

    kind: str
    name: str
    nbytes: int
    driver: str = ""


def device_kind() -> str:
    """Return where engines compute on this machine: the setting JOBS_DEVICE, else what is there."""
    chosen: str = getattr(settings, "JOBS_DEVICE", "")
    return chosen or ("cuda" if any(Path("/dev").glob("nvidia[0-9]*")) else "cpu")


def device_bytes() -> int:
    """Return how much of the device's memory jobs may ask for: JOBS_DEVICE_BYTES, else all of it."""
    return int(getattr(settings, "JOBS_DEVICE_BYTES", 0)) or find_device().nbytes


def find_device() -> Device:
    """Return the device that this machine computes on."""
    return _graphics_card() if device_kind() == "cuda" else _processor()


def memory_bytes() -> int:
    """Return this machine's memory, or what its container may use of it."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in _MEMORY_LIMITS:
        with contextlib.suppress(OSError, ValueError):  # "max": no limit
            return min(physical, int(path.read_text()))
    return physical


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def threads_alone(cores: int) -> int:
    """Return how many threads a heavy job may use that starts alone: one core is left to pages."""
    return max(1, cores - 1)


def versions() -> dict[str, str]:
    """Return the versions that decide what this machine computes."""
    known = {"python": platform.python_version()}
    for name in ("atelier", "torch"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            known[name] = importlib.metadata.version(name)
    driver = find_device().driver
    return known | ({"driver": driver} if driver else {})


@cache
def _processor() -> Device:
    name = ""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    return Device(kind="cpu", name=name or platform.machine(), nbytes=memory_bytes())


@cache
def _graphics_card() -> Device:
    """Ask the driver's own program about the first card that this process may use."""
    program = shutil.which("nvidia-smi")
    if program is not None:
        first = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip() or "0"
        query = [program, f"--id={first}", "--query-gpu=name,memory.total,driver_version"]
        try:
            answer = subprocess.run(  # noqa: S603 -- the program that the driver brought
                [*query, "--format=csv,noheader,nounits"],
                capture_output=True,
                text=True,
                check=True,
                timeout=_PATIENCE_SECONDS,
            ).stdout
            return read_nvidia_answer(answer)
        except (OSError, subprocess.SubprocessError, ValueError):
            logger.warning("nvidia-smi did not answer as expected", exc_info=True)
    logger.warning("The memory of the graphics card is not known: set JOBS_DEVICE_BYTES")
    return Device(kind="cuda", name="", nbytes=0)


def read_nvidia_answer(answer: str) -> Device:
    """Return the device of a line "name, memory in MiB, driver version". Raises ValueError for another."""
    name, mebibytes, driver = answer.strip().splitlines()[0].rsplit(",", 2)
    return Device(kind="cuda", name=name.strip(), nbytes=int(mebibytes) << 20, driver=driver.strip())
