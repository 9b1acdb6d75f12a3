"""Doing several things at the same time, each with a database connection of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from django.db import connection


def at_once(actions: Sequence[Callable[[], object]]) -> list[object]:
    """Run all actions at once; return what each returned or raised, in order."""

    def run(action: Callable[[], object]) -> object:
        try:
            return action()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(actions)) as pool:
        futures = [pool.submit(run, action) for action in actions]
        return [future.exception() or future.result() for future in futures]
