"""Timing two or more sides that take turns in one process, on whatever device there is."""

import statistics
import time
from collections.abc import Callable, Mapping

import torch

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def interleaved(sides: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each side; they take turns, after one round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, work in sides.items():
            began = now()
            work()
            if number:
                times[name].append(now() - began)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def now() -> float:
    """CPU seconds of this process; on a graphics card seconds, once it has done everything."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def listed(seconds: Mapping[str, float]) -> str:
    """The sides with their seconds, in one line."""
    return ", ".join(f"{name} {value:.3f} s" for name, value in seconds.items())


def faster(name: str, ours: float, baseline: float, count: int, unit: str) -> str:
    """A figure where more is better: so many things in these seconds."""
    values = f"ours={count / ours:.4g}, baseline={count / baseline:.4g}"
    return f"{name} ratio={baseline / ours:.2f} ({values}, {unit})"
