"""Getting the most out of the processor: memory allocator, threads, and whether bfloat16 is worth it here."""

import ctypes
import functools
import platform
import time

import torch
from torch.nn import functional

from engines.stylegan.config import Precision

M_TRIM_THRESHOLD = -1  # constants of glibc's malloc.h
M_MMAP_THRESHOLD = -3
KEEP_BYTES = 1 << 30

WORTHWHILE_SPEEDUP = 1.3


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


def compute_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The dtype for convolutions: as asked, or with "auto" bfloat16 where a trial shows that it is faster."""
    if precision == "fp32":
        return torch.float32
    if precision == "bf16":
        return torch.bfloat16
    if device.type != "cpu":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    return torch.bfloat16 if bf16_speedup() >= WORTHWHILE_SPEEDUP else torch.float32


@functools.cache
def bf16_speedup() -> float:
    """How many times faster a typical convolution is in bfloat16 than in float32 here (takes 0.1 s)."""
    return _convolution_seconds(torch.float32) / _convolution_seconds(torch.bfloat16)


def _convolution_seconds(dtype: torch.dtype, repeats: int = 5) -> float:
    with torch.no_grad():
        x = torch.ones(16, 32, 32, 32, dtype=dtype).to(memory_format=torch.channels_last)
        weight = torch.ones(32, 32, 3, 3, dtype=dtype)
        functional.conv2d(x, weight, padding=1)  # the first call compiles the kernel
        best = float("inf")
        for _ in range(repeats):
            start = time.perf_counter()
            functional.conv2d(x, weight, padding=1)
            best = min(best, time.perf_counter() - start)
    return best
