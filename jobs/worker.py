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
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from types import FrameType
from typing import Any, NoReturn

import redis
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone
from redis.exceptions import RedisError
from rq import Queue as TokenQueue
from rq import Worker
from rq.exceptions import StopRequested
from rq.job import Job as Token
from rq.serializers import JSONSerializer
from rq.worker.base import WorkerStatus

from jobs import conf, machines, tokens
from jobs.exceptions import LeaseLost
from jobs.execute import new_worker_name, run_next
from jobs.idle import idle_work
from jobs.leases import abandon_attempt, requeue_job
from jobs.models import Job
from jobs.processes import Leaving, become_child, parent_database, signals_held
from jobs.rq import TokenJob
from jobs.stopping import STOP_COMMAND, find_stopping, kill_at

logger = logging.getLogger(__name__)

WORKER_TTL = 30
# How often a parent whose child works says that it is there itself.
MONITORING_INTERVAL = 10
# How often a parent looks whether its child has to be killed.
TICK_SECONDS = 0.25
# At most so often RQ is told that a worker lives: it believes so for a minute and a half.
_HEARTBEAT_SECONDS = 1.0
# How often a worker of a draining machine looks whether it may go on.
_DRAINING_PAUSE_SECONDS = 1.0


class ForkingWorker(Worker):
    """Forks a child for every token; the child claims a job, does it and exits."""

    # A Redis that is back is noticed within so many seconds; RQ would wait for up to a minute.
    max_connection_wait_time = 5.0

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
            log_job_description=False,
        )
        self._is_busy = False
        self._next_heartbeat = 0.0
        self._presence = machines.Presence(idle_work(queue))
        # By the monotonic clock: when a child that has been asked to leave, or to stop, is killed.
        self._leave_by = math.inf
        self._kill_by = math.inf
        self._stopping: tuple[uuid.UUID, int] | None = None
        self._killed_for: uuid.UUID | None = None

    @property
    def has_been_asked_to_leave(self) -> bool:
        """Whether `work` returned because somebody wanted it to, and not because something broke."""
        return bool(self._stop_requested)

    def teardown(self) -> None:
        """Say goodbye to RQ. With Redis away the listening thread ends all the same: others will listen."""
        self._presence.make_way()
        try:
            super().teardown()  # type: ignore[no-untyped-call]
        except RedisError:
            listener: Any = self.pubsub_thread
            if listener is not None:
                listener.stop()
            raise

    def execute_job(self, job: Token, queue: TokenQueue) -> None:
        """Answer one token. It goes from Redis first: what becomes of a job is its row's affair, not RQ's."""
        self._is_busy = True
        self._presence.make_way()
        try:
            with self.connection.pipeline(transaction=False) as pipeline:
                pipeline.delete(job.key)
                pipeline.lrem(queue.intermediate_queue_key, 1, job.id)
                self.set_state(WorkerStatus.BUSY, pipeline=pipeline)
                pipeline.execute()
            self.look_for_work(queue.name)
        finally:
            self._is_busy = False

    def look_for_work(self, queue: str) -> None:
        """Have a child do the next job of a queue, in the parent."""
        self.fork_child(partial(self._do_next, queue))
        status = self._wait_for_end()
        if status:
            self.give_up_attempts(f"its process ended with status {status}")

    def _do_next(self, queue: str, leaving: Leaving) -> None:
        """Do the next job, in the child. What it could not take is for others: the dispatcher wakes them."""
        if run_next(queue=queue, worker=self.name, leaving=leaving):
            tokens.send_if_needed(queue)

    # The machine

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Tell RQ that this worker lives, and the database that its machine does; once a second is enough.

        RQ says so several times for every token, before the job that it wakes.
        """
        if time.monotonic() < self._next_heartbeat:
            return
        self._next_heartbeat = time.monotonic() + _HEARTBEAT_SECONDS
        super().heartbeat(timeout, pipeline)
        self._presence.keep(is_idle=not self._is_busy)

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Token, TokenQueue] | None:
        """Wait for a token. While the machine is being drained they are left to others."""
        while True:
            self._presence.keep(is_idle=True)
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

    def fork_child(self, run: Callable[[Leaving], None]) -> None:
        """Fork a child that does `run` and exits; a signal that comes meanwhile is handled afterwards."""
        with signals_held():
            pid = os.fork()
            if pid == 0:
                self._be_the_child(run)
            self._horse_pid = pid
            # It leads its own group, which a kill then hits.
            with contextlib.suppress(OSError):  # it has done so itself, or is gone already
                os.setpgid(pid, pid)

    def _be_the_child(self, run: Callable[[Leaving], None]) -> NoReturn:
        status = 1
        try:
            os.setpgrp()
            run(become_child(self.pid or 0, must_leave=self._stop_requested))
            status = 0
        except BaseException:
            logger.exception("The child of %s broke down", self.name)
        finally:
            os._exit(status)

    def attend(self, source: int | socket.socket) -> None:
        """Wait until a child speaks, or ends. Meanwhile kill it when its time is up; stay in RQ's list."""
        next_heartbeat = time.monotonic() + MONITORING_INTERVAL
        while not select.select([source], [], [], TICK_SECONDS)[0]:
            self.kill_when_due()
            if time.monotonic() >= next_heartbeat:
                next_heartbeat = time.monotonic() + MONITORING_INTERVAL
                with contextlib.suppress(RedisError):
                    self.heartbeat()

    def _wait_for_end(self) -> int:
        """Wait for the child's end. Return its status, 0 when it ended well."""
        child = os.pidfd_open(self.horse_pid)
        try:
            self.attend(child)
        finally:
            os.close(child)
        self._kill_by, self._stopping = math.inf, None
        _pid, status = os.waitpid(self.horse_pid, 0)
        self._horse_pid = 0
        return status

    def give_up_attempts(self, cause: str) -> None:
        """Take this worker's rows from its dead child; with the database away, their lease runs out."""
        try:
            with parent_database():
                for job in Job.objects.working().filter(worker=self.name):
                    with contextlib.suppress(LeaseLost):
                        if self._stop_requested:
                            requeue_job(job, cause="the worker had to leave before the job was saved")
                        elif self._killed_for not in (None, job.pk):
                            requeue_job(job, cause="another job of its batch did not stop and was killed")
                        else:
                            abandon_attempt(job, cause=cause)
                    tokens.send_if_needed(job.queue)
                self._killed_for = None
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
                self._killed_for = job_id
                self.kill_horse()
