"""What a worker's parent sees to while nothing is worked on: measurements, each by a process of its own.

An app registers what it has to do in `AppConfig.ready`. None of it may import torch here, or last: the parent
has tokens to take.
"""

from collections.abc import Callable
from typing import Protocol


class IdleWork(Protocol):
    """Something that is done when there is time for it."""

    def go_on(self) -> None:
        """Called every few seconds while this worker is idle."""

    def make_way(self) -> None:
        """Called before this worker begins a job, and when it leaves."""


_factories: dict[str, tuple[str, Callable[[], IdleWork]]] = {}


def register_idle_work(name: str, *, queue: str, factory: Callable[[], IdleWork]) -> None:
    """Have each worker of a queue make such work and go on with it when it is idle."""
    _factories[name] = queue, factory


def idle_work(queue: str) -> list[IdleWork]:
    """Return the work that a new worker of a queue is to go on with."""
    return [factory() for wanted, factory in _factories.values() if wanted == queue]
