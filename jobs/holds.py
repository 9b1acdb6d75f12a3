"""What the jobs of this process hold, such as locks, until the batch that they are in has ended.

A process that is killed, or simply ends, holds nothing any more: the kernel sees to that.
"""

import os

_open: dict[tuple[int, int], int] = {}


def keep_open(descriptor: int) -> None:
    """Keep a file or folder open, and with it the lock on it. One descriptor for each is enough."""
    status = os.fstat(descriptor)
    if _open.setdefault((status.st_dev, status.st_ino), descriptor) != descriptor:
        os.close(descriptor)


def let_go() -> None:
    """Close what was kept open. Whoever runs jobs calls it when they have ended."""
    while _open:
        os.close(_open.popitem()[1])
