"""Which processor cores a benchmark's processes run on."""

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def on_cores(cores: set[int]) -> Iterator[None]:
    """Have what is started in this block run on these cores alone, and this process while it lasts."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def split_cores() -> tuple[set[int], set[int]]:
    """Return the core of the web process and the cores of everything else; the same where there is one."""
    first, *others = sorted(os.sched_getaffinity(0))
    return {first}, set(others or [first])
