"""What parent and child processes of a worker owe each other."""

import ctypes
import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connections

_PR_SET_PDEATHSIG = 1
_ASKED_TO_LEAVE = {signal.SIGTERM, signal.SIGINT}


@dataclass
class Leaving:
    """Whether a process has been asked to leave: a plain flag; a signal handler must not wait for locks."""

    asked: bool = False

    def ask(self) -> None:
        """Ask it to leave."""
        self.asked = True


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent is gone, however that went.

    Exits at once when `parent` is gone already: between the fork and this call.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


@contextmanager
def signals_held() -> Iterator[None]:
    """Hold back SIGTERM and SIGINT, so that neither falls between a fork and what is noted about it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ASKED_TO_LEAVE)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def parent_database() -> Iterator[None]:
    """Use the database in a process that forks: its connections are closed before the next fork."""
    try:
        yield
    finally:
        connections.close_all()


def become_child(parent: int, *, must_leave: bool) -> Leaving:
    """Set up a process that has just been forked to do jobs. Return what tells it to leave.

    SIGTERM does, as often as it comes: the job is then saved and given back. Ctrl-C is the parent's
    business. `must_leave`: the parent had been asked before it forked.
    """
    leaving = Leaving(asked=must_leave)
    die_with_parent(parent)
    random.seed()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda _signum, _frame: leaving.ask())
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ASKED_TO_LEAVE)
    return leaving
