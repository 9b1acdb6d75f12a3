"""`manage.py dispatch`: the reconciler, every few seconds, until it is asked to leave."""

import logging
import signal
import threading
import time
from argparse import ArgumentParser
from collections.abc import Callable
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, connections

from accounts.erasure import erase_accounts
from billing.letters import send_letters
from billing.services import expire_grants
from jobs import conf
from jobs.billing_inbox import sweep_hourly, sweep_inbox, sweep_nightly
from jobs.reconcile import reconcile
from jobs.sweeps import do_chores, sweep_files

logger = logging.getLogger(__name__)

_HOUR = 3600.0


class Command(BaseCommand):
    """Runs the reconciler."""

    help = "Recover lost jobs, wake workers, enforce deadlines and stops. Safe to run more than once."

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # What is done now and then besides, and how often, in seconds. Each is safe to do twice.
        self._periodic: tuple[tuple[Callable[[], object], float], ...] = (
            (expire_grants, _HOUR),
            (self._beside("sweep", sweep_files), 24 * _HOUR),
            (self._beside("inbox", sweep_inbox), _HOUR / 60),
            (self._beside("letters", send_letters), _HOUR / 60),
            (self._beside("erasures", erase_accounts), _HOUR / 60),
            (self._beside("payments", sweep_hourly), _HOUR),
            (self._beside("chores", do_chores), _HOUR),
            (self._beside("billing", sweep_nightly), 24 * _HOUR),
        )
        self._due_at: dict[Callable[[], object], float] = {task: 0.0 for task, _every in self._periodic}
        self._sweeping: dict[str, threading.Thread] = {}

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
        for thread in self._sweeping.values():
            thread.join()

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

    def _beside(self, name: str, sweep: Callable[[], object]) -> Callable[[], None]:
        """Return what starts a sweep on a thread of its own: a bucket and a network take their time.

        Jobs must not wait for it. One that is not through yet is not started again.
        """

        def start() -> None:
            running = self._sweeping.get(name)
            if running is None or not running.is_alive():
                thread = threading.Thread(target=_sweep, args=(name, sweep), name=name, daemon=True)
                self._sweeping[name] = thread
                thread.start()

        return start


def _sweep(name: str, sweep: Callable[[], object]) -> None:
    try:
        sweep()
    except Exception:
        logger.exception("The sweep %s broke off; the next one begins anew", name)
    finally:
        connections.close_all()


def _leave(_signum: int, _frame: FrameType | None) -> None:
    """End here and now: every change is one transaction, so nothing is left half done."""
    raise SystemExit(0)
