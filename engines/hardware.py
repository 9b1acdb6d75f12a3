"""Getting the most out of the machine: device, memory allocator, and whether bfloat16 is worth it here."""

import ctypes
import functools
import os
import platform
import time

import torch
from torch.nn import functional

from engines.choices import Device, Precision
from engines.errors import ConfigError

M_TRIM_THRESHOLD = -1  # constants of glibc's malloc.h
M_MMAP_THRESHOLD = -3
KEEP_BYTES = 1 << 30

WORTHWHILE_SPEEDUP = 1.3
# A processor without instructions for bfloat16 stays far below: products of matrices take 75 times as long.
EMULATED_SPEEDUP = 0.5
# A convolution as it occurs in the middle of the generators that are trained on such a device.
PROBE_SHAPES = {"cpu": (16, 32, 32), "cuda": (16, 256, 64)}  # images, channels, pixels a side


@functools.cache
def tune_allocator() -> bool:
    """Let glibc keep freed memory instead of giving it back to the kernel; returns whether it could be done.

    Feature maps are allocated and freed thousands of times; fetching them anew costs a page fault every 4
    KiB.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return bool(libc.mallopt(M_MMAP_THRESHOLD, KEEP_BYTES) and libc.mallopt(M_TRIM_THRESHOLD, KEEP_BYTES))


def training_device(device: Device) -> torch.device:
    """The device to train on; "auto" takes a graphics card where there is one.

    Under torchrun each process takes a card of its own. Raises ConfigError where there is none.
    """
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    index = int(os.environ.get("LOCAL_RANK", "0"))
    if index >= torch.cuda.device_count():
        raise ConfigError(
            f"Training asks for graphics card number {index + 1}; {torch.cuda.device_count()} can be used "
            "here. Start fewer processes, or train on the processor."
        )
    torch.cuda.set_device(index)
    torch.backends.cudnn.benchmark = True  # shapes stay the same, so choosing kernels by trial pays
    return torch.device("cuda", index)


def compute_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The dtype for convolutions: as asked, or with "auto" bfloat16 where a trial shows that it is faster.

    Never float16, whose range is too small for these networks without further precautions.
    """
    if precision == "fp32":
        return torch.float32
    if precision == "bf16" or bf16_speedup(device) >= WORTHWHILE_SPEEDUP:
        return torch.bfloat16
    return torch.float32


@functools.cache
def bf16_speedup(device: torch.device) -> float:
    """How many times faster a typical convolution is in bfloat16 than in float32 here (takes 0.1 s)."""
    return _convolution_seconds(torch.float32, device) / _convolution_seconds(torch.bfloat16, device)


def mixed_precision(device: torch.device) -> torch.autocast:
    """Inside, products are in bfloat16 where that is faster here; weights and sums stay float32."""
    return torch.autocast(device.type, torch.bfloat16, compute_dtype("auto", device) is torch.bfloat16)


@torch.no_grad()
def _convolution_seconds(dtype: torch.dtype, device: torch.device, repeats: int = 5) -> float:
    images, channels, side = PROBE_SHAPES[device.type]
    x = torch.ones(images, channels, side, side, dtype=dtype, device=device)
    x = x.to(memory_format=torch.channels_last)
    weight = torch.ones(channels, channels, 3, 3, dtype=dtype, device=device)
    functional.conv2d(x, weight, padding=1)  # the first call chooses or compiles the kernel
    best = float("inf")
    for _ in range(repeats):
        _finish(device)
        start = time.perf_counter()
        functional.conv2d(x, weight, padding=1)
        _finish(device)
        best = min(best, time.perf_counter() - start)
    return best


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch or Python ran out of memory, on whatever device."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "not enough memory" in str(error)


def free_memory(device: torch.device) -> None:
    """Give back what torch keeps for later on a graphics card; call it when the failed tensors are gone."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
