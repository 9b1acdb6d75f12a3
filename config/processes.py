"""Children that never outlive whoever started them (for the keepers too: standard library alone)."""

import ctypes
import os
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
# Loaded before any fork: a child may do very little between fork and exec.
_LIBC = ctypes.CDLL(None, use_errno=True)


def die_with_parent(signal_number: int) -> Callable[[], None]:
    """Return what a child calls before it becomes a program: then the kernel signals it when we end.

    Linux ties this to the thread that forked, so programs are started from the main thread.
    """
    parent = os.getpid()

    def ask_the_kernel() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
        if os.getppid() != parent:  # we ended before the child could ask
            os._exit(1)

    return ask_the_kernel
