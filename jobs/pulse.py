"""The beat of an attempt: reports go out, requests come in, the lease is kept.

In a worker a thread does this for all attempts of a batch, so that a step may be as quick or as slow as it
likes and loading a large model loses no lease. Without the thread (in tests) every report goes all the way at
once.
"""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from django.db import connection, connections

from engines.progress import Control
from jobs import conf
from jobs.exceptions import LeaseLost
from jobs.leases import Requests, beat_job
from jobs.models import Job, State
from jobs.processes import Leaving
from jobs.progress import Report, is_asked_to_look, publish
from jobs.revisions import new_revision

logger = logging.getLogger(__name__)


class Pulse:
    """Keeps one attempt alive and informed. `report` and `control` are called by the handler's thread."""

    def __init__(self, job: Job, *, leaving: Leaving, in_background: bool) -> None:
        """Make a pulse. `leaving` is asked when the worker has to go: the work is then asked to stop."""
        self.newest: Report | None = None
        self._job = job
        self._leaving = leaving
        self._in_background = in_background
        # Held while it beats, so that who stops it waits for a beat that is under way.
        self._beats = threading.Lock()
        self._is_over = False
        self._lost = False
        self._published: Report | None = None
        self._written: Report | None = None
        self._next_publication = 0.0
        self._next_beat = time.monotonic() + conf.seconds("JOBS_HEARTBEAT_SECONDS")
        # Replaced as a whole by the beating thread, read by the handler's.
        self._asked = Requests(job.state, job.snapshot_requested_at, job.sample_requested_at)
        self._given = self._asked

    def stop(self) -> None:
        """End the beating; afterwards nothing more is written by it."""
        with self._beats:
            self._is_over = True

    def report(self, report: Report) -> None:
        """Take the newest report. Raises LeaseLost."""
        self.newest = report
        if not self._in_background:
            self._beat(is_due=True)

    def control(self) -> Control:
        """Return what has been asked; snapshots and samples once each. Raises LeaseLost."""
        if self._lost:
            raise LeaseLost(str(self._job))
        asked, given = self._asked, self._given
        if self._leaving.asked or asked.state == State.STOPPING:
            return Control.STOP
        if asked.snapshot_requested_at != given.snapshot_requested_at:
            self._given = replace(given, snapshot_requested_at=asked.snapshot_requested_at)
            return Control.SNAPSHOT
        if asked.sample_requested_at != given.sample_requested_at:
            self._given = replace(given, sample_requested_at=asked.sample_requested_at)
            return Control.SAMPLE
        return Control.CONTINUE

    def beat(self) -> None:
        """Beat if there is somebody to beat for: called by the thread several times a second."""
        with self._beats:
            if self._is_over or self._lost:
                return
            try:
                self._beat(is_due=time.monotonic() >= self._next_beat)
            except LeaseLost:
                self._lost = True
            except Exception:
                # The server may be back at the next beat; until then the lease runs on.
                logger.exception("No heartbeat for job %s", self._job)
                connection.close()

    def _beat(self, *, is_due: bool) -> None:
        newest, now = self.newest, time.monotonic()
        may_publish = not self._in_background or now >= self._next_publication
        if newest is not None and newest is not self._published and may_publish:
            self._next_publication = now + conf.seconds("JOBS_PULSE_SECONDS")
            rev = new_revision(self._job.rev)
            is_asked = publish(self._job.pk, attempt=self._job.attempt, rev=rev, report=newest)
            self._published = newest
        else:
            is_asked = is_asked_to_look(self._job.pk)
        if is_due or is_asked:
            self._next_beat = now + conf.seconds("JOBS_HEARTBEAT_SECONDS")
            self._asked = beat_job(self._job, newest if newest is not self._written else None)
            self._written = newest


@contextmanager
def beating(pulses: Sequence[Pulse]) -> Iterator[None]:
    """Have a thread beat for these pulses meanwhile, if there are any."""
    if not pulses:
        yield
        return
    is_over = threading.Event()
    thread = threading.Thread(target=_beat_until, args=(is_over, pulses), name="pulse", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _beat_until(is_over: threading.Event, pulses: Sequence[Pulse]) -> None:
    pause = conf.seconds("JOBS_LOOK_SECONDS")
    try:
        while not is_over.wait(pause):
            for pulse in pulses:
                pulse.beat()
    finally:
        connections.close_all()  # this thread's, if it has made any
