"""`manage.py dispatch`: the reconciler, every few seconds, until it is asked to leave."""

import logging
import signal
import threading
import time
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, connections

from billing.services import expire_grants
from jobs import conf
from jobs.reconcile import reconcile
from jobs.sweeps import sweep_files

logger = logging.getLogger(__name__)

_HOUR = 3600.0


class Command(BaseCommand):
    """Runs the reconciler."""

    help = "Recover lost jobs, wake workers, enforce deadlines and stops. Safe to run more than once."

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # What is done now and then besides, and how often, in seconds. Each is safe to do twice.
        self._periodic = ((expire_grants, _HOUR), (self._sweep_beside, 24 * _HOUR))
        self._due_at = dict.fromkeys((task for task, _every in self._periodic), 0.0)
        self._sweeping: threading.Thread | None = None

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the way of running."""
        parser.add_argument("--once", action="store_true", help="do one round and leave")

    def handle(self, *, once: bool, **_options: object) -> None:
        """Go round; when the database is away, try again in the next round."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _leave)
        while not once:
            self._go_round()
            time.sleep(conf.seconds("JOBS_RECONCILE_SECONDS"))
        self._go_round()
        if self._sweeping is not None:
            self._sweeping.join()

    def _go_round(self) -> None:
        try:
            done = reconcile()
            self._do_what_is_due()
        except DatabaseError:
            logger.exception("The database does not answer; trying again")
            connections.close_all()
        else:
            if done:
                logger.info("Reconciled: %s", done)

    def _do_what_is_due(self) -> None:
        """Do what is due; what fails stays due, for the next round."""
        for task, every in self._periodic:
            if self._due_at[task] <= time.monotonic():
                task()
                self._due_at[task] = time.monotonic() + every

    def _sweep_beside(self) -> None:
        """Sweep on a thread of its own: a large bucket takes its time, and jobs must not wait for it."""
        self._sweeping = threading.Thread(target=_sweep, name="sweep", daemon=True)
        self._sweeping.start()


def _sweep() -> None:
    try:
        sweep_files()
    except Exception:
        logger.exception("The sweep of stored files broke off; the next one begins anew")
    finally:
        connections.close_all()


def _leave(_signum: int, _frame: FrameType | None) -> None:
    """End here and now: every change is one transaction, so nothing is left half done."""
    raise SystemExit(0)
