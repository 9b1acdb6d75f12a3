"""`manage.py worker QUEUE`: does the jobs of one queue until it is asked to leave."""

import contextlib
import logging
import signal
import time
from argparse import ArgumentParser

from django.core.management.base import BaseCommand
from redis.exceptions import RedisError
from rq.exceptions import StopRequested

from jobs import machines
from jobs.execute import sweep_workdirs
from jobs.models import Queue
from jobs.processes import parent_database
from jobs.resident import ResidentWorker
from jobs.worker import ForkingWorker

logger = logging.getLogger(__name__)

# After Redis went away, or something broke, a fresh worker is tried this much later.
_PAUSE_SECONDS = 1.0


class Command(BaseCommand):
    """Runs one worker."""

    help = "Do the jobs of one queue. SIGTERM or Ctrl-C: save and give back the job, then leave."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the queue's name."""
        parser.add_argument("queue", choices=Queue.values)

    def handle(self, *, queue: str, **_options: object) -> None:
        """Work until asked to leave; survive the loss of Redis."""
        with parent_database():
            machines.register()
            sweep_workdirs()
        kind = ResidentWorker if queue == Queue.GENERATE else ForkingWorker
        with contextlib.suppress(StopRequested):  # asked to leave between two workers
            self._work(kind, queue)
        # Python gives signals their own effect back on its way out: a second one would look like a crash.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)

    def _work(self, kind: type[ForkingWorker], queue: str) -> None:
        while True:
            try:
                worker = kind(queue)
                worker.work(logging_level="WARNING")
            except RedisError as error:
                logger.warning("The %s worker cannot reach Redis: %s", queue, error)
            else:
                if worker.has_been_asked_to_leave:
                    return
            time.sleep(_PAUSE_SECONDS)
