"""The workers: RQ's loop around wake-up tokens, with a child process that does the jobs.

The parent never imports torch: it stays small, its forks stay clean, and it can kill what does not stop.
`ForkingWorker` forks a child for every token (train, light); `jobs.resident` keeps one that keeps its models
warm (generate). A parent that is asked to leave (SIGTERM, Ctrl-C) has its child save and give back its job.
"""

import contextlib
import json
import logging
import math
import os
import select
import signal
import time
import uuid
from collections.abc import Mapping
from types import FrameType
from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone
from rq import Queue as TokenQueue
from rq import Worker
from rq.exceptions import StopRequested
from rq.job import Job as Token
from rq.serializers import JSONSerializer

from jobs import conf, machines, tokens
from jobs.exceptions import LeaseLost
from jobs.execute import new_worker_name, run_next
from jobs.leases import abandon_attempt, requeue_job
from jobs.models import Job, Queue
from jobs.processes import become_child, parent_database, signals_held
from jobs.rq import TokenJob
from jobs.stopping import STOP_COMMAND, find_stopping, kill_at

logger = logging.getLogger(__name__)

WORKER_TTL = 30
MONITORING_INTERVAL = 10
# How often a parent looks whether its child has to be killed.
TICK_SECONDS = 0.25
# How often a worker of a draining machine looks whether it may go on.
_DRAINING_PAUSE_SECONDS = 1.0


class ForkingWorker(Worker):
    """Forks a child for every token; the child claims a job, does it and exits."""

    def __init__(self, queue: str) -> None:
        """Make a worker for one queue. Raises RedisError when Redis does not answer."""
        connection = redis.Redis.from_url(settings.REDIS_URL)
        super().__init__(
            [tokens.token_queue(queue, connection)],
            name=new_worker_name(queue),
            connection=connection,
            job_class=TokenJob,
            serializer=JSONSerializer,
            worker_ttl=WORKER_TTL,
            job_monitoring_interval=MONITORING_INTERVAL,
            log_job_description=False,
        )
        self._is_busy = False
        self._presence = machines.Presence(measures_speed=queue != Queue.LIGHT)
        # By the monotonic clock: when a child that has been asked to leave, or to stop, is killed.
        self._leave_by = math.inf
        self._kill_by = math.inf
        self._stopping: tuple[uuid.UUID, int] | None = None
        TokenJob.runner = self.look_for_work

    @property
    def has_been_asked_to_leave(self) -> bool:
        """Whether `work` returned because somebody wanted it to, and not because something broke."""
        return bool(self._stop_requested)

    def look_for_work(self, queue: str) -> None:
        """Do one job, in the child. What it could not take is for others: the dispatcher wakes them."""
        if run_next(queue=queue, worker=self.name, leaving=self._leaving) is not None:
            tokens.send_if_needed(queue)

    # The machine

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Tell RQ that this worker lives, and the database that its machine does."""
        super().heartbeat(timeout, pipeline)
        self._presence.keep(is_idle=not self._is_busy)

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Token, TokenQueue] | None:
        """Wait for a token. While the machine is being drained they are left to others."""
        while True:
            while self._presence.is_draining:
                self.heartbeat()
                time.sleep(_DRAINING_PAUSE_SECONDS)
            taken = super().dequeue_job_and_maintain_ttl(machines.BEAT_SECONDS, machines.BEAT_SECONDS)
            if taken is not None:
                return taken

    # Leaving

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Leave as soon as the child has saved and given back its job. A second signal changes nothing."""
        if self._stop_requested:
            return
        self._stop_requested = True
        if not self._is_busy:
            raise StopRequested
        self._leave_by = time.monotonic() + conf.seconds("JOBS_GRACE_SECONDS")
        if self.horse_pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.horse_pid, signal.SIGTERM)

    # The child

    def execute_job(self, job: Token, queue: TokenQueue) -> None:
        """Answer one token."""
        self._is_busy = True
        try:
            super().execute_job(job, queue)
        finally:
            self._is_busy = False

    def fork_work_horse(self, job: Token, queue: TokenQueue) -> None:
        """Fork the child; a signal that comes meanwhile is handled once its process id is known."""
        with signals_held():
            super().fork_work_horse(job, queue)
            self.adopt_child(self.horse_pid)

    def adopt_child(self, pid: int) -> None:
        """Note the child's process id, and see to it that it leads its own group, which a kill then hits."""
        self._horse_pid = pid
        with contextlib.suppress(OSError):  # it has done so itself, or is gone already
            os.setpgid(pid, pid)

    def setup_work_horse_signals(self) -> None:
        """Set up the child, in the child."""
        self._leaving = become_child(self.pid or 0, must_leave=self._stop_requested)

    def wait_for_horse(self) -> tuple[int | None, int | None, Any]:
        """Wait for the child's end, and bring it about when its time is up."""
        try:
            child = os.pidfd_open(self.horse_pid)
        except ProcessLookupError:
            return None, None, None
        try:
            while not select.select([child], [], [], TICK_SECONDS)[0]:
                self.kill_when_due()
        finally:
            os.close(child)
        self._kill_by, self._stopping = math.inf, None
        with contextlib.suppress(ChildProcessError):
            return os.wait4(self.horse_pid, 0)
        return None, None, None

    def handle_work_horse_killed(self, job: Token, retpid: int, ret_val: int, rusage: Any) -> None:
        """Give back what a child held that did not end by itself."""
        super().handle_work_horse_killed(job, retpid, ret_val, rusage)  # type: ignore[no-untyped-call]
        self.give_up_attempts(f"its process ended with status {ret_val}")

    def give_up_attempts(self, cause: str) -> None:
        """Take this worker's rows from its dead child; with the database away, their lease runs out."""
        try:
            with parent_database():
                for job in Job.objects.working().filter(worker=self.name):
                    with contextlib.suppress(LeaseLost):
                        if self._stop_requested:
                            requeue_job(job, cause="the worker had to leave before the job was saved")
                        else:
                            abandon_attempt(job, cause=cause)
                    tokens.send_if_needed(job.queue)
        except DatabaseError:
            logger.exception("The job of a dead process waits for its lease to run out")

    # Stopping

    def handle_payload(self, message: Mapping[str, Any]) -> None:
        """Take note, on the listening thread, that an attempt is to stop or the machine's row has changed.

        Redis can ask for nothing else.
        """
        try:
            payload = json.loads(message["data"])
            if payload["command"] == machines.LOOK_COMMAND:
                self._presence.look()
            if payload["command"] != STOP_COMMAND:
                return
            job_id, attempt = uuid.UUID(payload["job"]), int(payload["attempt"])
            with parent_database():
                job = find_stopping(job_id, attempt, self.name)
        except (ValueError, TypeError, KeyError, AttributeError, DatabaseError):
            logger.warning("Ignored a command that could not be understood", exc_info=True)
            return
        due = kill_at(job) if job is not None else None
        if due is not None:
            self._stopping = job_id, attempt
            self._kill_by = time.monotonic() + (due - timezone.now()).total_seconds()

    def kill_when_due(self) -> None:
        """Kill the child if it has been asked to leave, or its attempt to stop, for too long."""
        now = time.monotonic()
        if now >= self._leave_by:
            logger.warning("The job did not give way in time; it goes on elsewhere")
            self._leave_by = math.inf
            self.kill_horse()
        elif now >= self._kill_by and self._stopping is not None:
            job_id, attempt = self._stopping
            self._kill_by, self._stopping = math.inf, None
            with parent_database():
                still_stopping = find_stopping(job_id, attempt, self.name)
            if still_stopping is not None:
                self.kill_horse()
