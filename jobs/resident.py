"""The worker that keeps one child for many jobs, so that models stay loaded (`jobs.warm`)."""

import contextlib
import logging
import os
import select
import socket
import time
from functools import cache

from django.db import close_old_connections
from django.utils.module_loading import import_string
from redis.exceptions import RedisError
from rq import Queue as TokenQueue
from rq.job import Job as Token
from rq.worker.base import WorkerStatus

from jobs import registry, tokens
from jobs.execute import run_next
from jobs.processes import Leaving, become_child, signals_held
from jobs.worker import MONITORING_INTERVAL, TICK_SECONDS, ForkingWorker

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
            super().teardown()  # type: ignore[no-untyped-call]
        finally:
            self._end_child()

    def execute_job(self, job: Token, queue: TokenQueue) -> None:
        """Answer one token: RQ's book-keeping here, the job in the child."""
        self._is_busy = True
        try:
            execution = self.prepare_execution(job)
            self.perform_job(job, queue, execution)
            self.set_state(WorkerStatus.IDLE)
        finally:
            self._is_busy = False

    def look_for_work(self, queue: str) -> None:
        """Have the child do one job, in the parent."""
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
            next_heartbeat = time.monotonic() + MONITORING_INTERVAL
            while not select.select([line], [], [], TICK_SECONDS)[0]:
                self.kill_when_due()
                if time.monotonic() >= next_heartbeat:
                    next_heartbeat = time.monotonic() + MONITORING_INTERVAL
                    self._stay_registered()
            return line.recv(1)
        return b""

    def _stay_registered(self) -> None:
        job, execution = self.get_current_job(), self.execution
        if job is None or execution is None:
            return
        with contextlib.suppress(RedisError):
            self.maintain_heartbeats(job, execution)

    def _start_child(self) -> None:
        ours, theirs = socket.socketpair()
        with signals_held():
            pid = os.fork()
            if pid == 0:
                ours.close()
                self._be_the_child(theirs)
            self.adopt_child(pid)
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

    def _be_the_child(self, line: socket.socket) -> None:
        """Do jobs until the parent hangs up. Never returns."""
        status = 1
        try:
            os.setpgrp()
            self._serve(line, become_child(self.pid or 0, must_leave=self._stop_requested))
            status = 0
        except BaseException:
            logger.exception("The child of %s broke down", self.name)
        finally:
            os._exit(status)

    def _serve(self, line: socket.socket, leaving: Leaving) -> None:
        for done in range(1, _JOBS_PER_CHILD + 1):
            if not select.select([line], [], [], _PRELOAD_AFTER_SECONDS)[0]:
                _import_handlers(self._queue)
            if line.recv(1) != _WORK:
                return
            close_old_connections()  # the database may have been restarted since the last job
            if run_next(queue=self._queue, worker=self.name, leaving=leaving) is not None:
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
