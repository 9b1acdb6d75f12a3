"""Threads that begin together."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connection

T = TypeVar("T")


def at_once(action: Callable[[int], T], threads: int = 6) -> list[T]:
    """Call `action(0)`, `action(1)`, ... in threads that begin together. Return what they returned."""
    barrier = Barrier(threads)

    def run(index: int) -> T:
        try:
            barrier.wait()
            return action(index)
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))
