"""The worker that keeps one child for many jobs, so that models stay loaded (`jobs.warm`)."""

import contextlib
import logging
import os
import select
import socket
from functools import cache

from django.db import close_old_connections
from django.utils.module_loading import import_string

from jobs import registry, tokens
from jobs.execute import run_next
from jobs.processes import Leaving
from jobs.worker import ForkingWorker

logger = logging.getLogger(__name__)

# What parent and child say to each other, one byte each.
_WORK = b"w"
_DONE = b"d"
_RETIRED = b"r"
# A child that has done so many jobs makes way for a fresh one, and with it whatever memory has leaked.
_JOBS_PER_CHILD = 500
# An idle child imports what its jobs will need after this time, not while the studio is starting.
_PRELOAD_AFTER_SECONDS = 4.0


class ResidentWorker(ForkingWorker):
    """Hands every token to its child over a socket. A child that dies, or is killed, is replaced."""

    def __init__(self, queue: str) -> None:
        super().__init__(queue)
        self._queue = queue
        self._line: socket.socket | None = None

    def bootstrap(self, *args: object, **kwargs: object) -> None:
        """Start the child, then register with RQ."""
        self._start_child()
        super().bootstrap(*args, **kwargs)  # type: ignore[arg-type]

    def teardown(self) -> None:
        """Say goodbye to RQ and let the idle child go."""
        try:
            super().teardown()
        finally:
            self._end_child()

    def look_for_work(self, queue: str) -> None:
        """Have the child do the next job, in the parent."""
        if self._line is None:
            self._start_child()
        answer = self._ask_child()
        if answer == _DONE:
            return
        self._end_child()
        if answer != _RETIRED:
            self.give_up_attempts("its process died")
        if not self._stop_requested:
            self._start_child()

    def _ask_child(self) -> bytes:
        """Send the child to work and wait. Return its answer, or nothing when it is dead."""
        line = self._line
        if line is None:
            return b""
        with contextlib.suppress(OSError):
            line.send(_WORK)
            self.attend(line)
            return line.recv(1)
        return b""

    def _start_child(self) -> None:
        ours, theirs = socket.socketpair()

        def serve(leaving: Leaving) -> None:
            ours.close()
            self._serve(theirs, leaving)

        self.fork_child(serve)
        theirs.close()
        self._line = ours

    def _end_child(self) -> None:
        """Close the line, at which an idle child exits, and wait for it; kill one that does not."""
        if self._line is not None:
            self._line.close()
            self._line = None
        if not self.horse_pid:
            return
        child = os.pidfd_open(self.horse_pid)
        if not select.select([child], [], [], 2.0)[0]:
            self.kill_horse()
        os.close(child)
        os.waitpid(self.horse_pid, 0)
        self._horse_pid = 0

    def _serve(self, line: socket.socket, leaving: Leaving) -> None:
        """Do jobs, in the child, until the parent hangs up."""
        for done in range(1, _JOBS_PER_CHILD + 1):
            if not select.select([line], [], [], _PRELOAD_AFTER_SECONDS)[0]:
                _import_handlers(self._queue)
            if line.recv(1) != _WORK:
                return
            close_old_connections()  # the database may have been restarted since the last job
            if run_next(queue=self._queue, worker=self.name, leaving=leaving):
                tokens.send_if_needed(self._queue)
            is_last = leaving.asked or done == _JOBS_PER_CHILD
            line.sendall(_RETIRED if is_last else _DONE)
            if is_last:
                return


@cache
def _import_handlers(queue: str) -> None:
    """Import what this queue's jobs run, and with it torch; a fault in it is the job's, not this worker's."""
    for name in registry.names(queue):
        try:
            import_string(registry.get(name).handler)
        except Exception:
            logger.exception("The handler of %s cannot be imported", name)
