"""`python -m engines.speed --device cpu --out speed.json`: how fast a device convolves, in one figure.

The figure lets machines be compared; it promises nothing about a particular model.
"""

import argparse
import fcntl
import json
import sys
import time
from pathlib import Path

import torch
from torch.nn import functional

# A 3 x 3 convolution as it occurs in the middle of the generators that are trained on such a device.
_SHAPES = {"cpu": (16, 64, 32), "cuda": (16, 512, 64)}  # images, channels, pixels a side
_REPEATS = 8


def multiply_adds(device: str) -> float:
    """Return the multiply-adds a second of "cpu" or "cuda", in billions: the best of several tries.

    A convolution forwards in float32, on a card in bfloat16, which is what trainings use there.
    """
    images, channels, side = _SHAPES[device]
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    x = torch.ones(images, channels, side, side, dtype=dtype, device=device)
    x = x.to(memory_format=torch.channels_last)
    weight = torch.ones(channels, channels, 3, 3, dtype=dtype, device=device)
    count = images * side * side * channels * channels * 9
    with torch.no_grad():
        functional.conv2d(x, weight, padding=1)  # the first call chooses a kernel
        best = min(_seconds(x, weight) for _repeat in range(_REPEATS))
    return count / best / 1e9


def _seconds(x: torch.Tensor, weight: torch.Tensor) -> float:
    _wait_for(x)
    start = time.perf_counter()
    functional.conv2d(x, weight, padding=1)
    _wait_for(x)
    return time.perf_counter() - start


def _wait_for(x: torch.Tensor) -> None:
    if x.is_cuda:
        torch.cuda.synchronize()


def main() -> int:
    """Measure once; leave it to whoever is measuring already."""
    parser = argparse.ArgumentParser(prog="python -m engines.speed", description=__doc__)
    parser.add_argument("--device", choices=_SHAPES, default="cpu")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    with options.out.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        if not options.out.exists():
            draft = options.out.with_suffix(".part")
            draft.write_text(json.dumps({"billions": round(multiply_adds(options.device), 1)}))
            draft.replace(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
