"""The machines on which workers run: each knows itself by its data directory and keeps a row of its own.

A machine that is being drained takes no new jobs and ends what it does; its workers leave the wake-up tokens
to others meanwhile.
"""

import contextlib
import logging
import os
import socket
import time
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _
from redis.exceptions import RedisError
from rq import Worker
from rq.command import send_command

from jobs import hardware, speed
from jobs.idle import IdleWork
from jobs.models import Job, JobQuerySet, Machine, State
from jobs.processes import parent_database
from jobs.redis_client import hints

logger = logging.getLogger(__name__)

# What a worker's parent is told when its machine's row has changed: it looks at once.
LOOK_COMMAND = "look-at-machine"
BEAT_SECONDS = 10
# A machine that has not been heard of for so long is away.
AWAY_AFTER = timedelta(seconds=45)
# A machine that has been away for so long is forgotten; one that comes back registers again.
_FORGOTTEN_AFTER = timedelta(days=30)


def machine_id() -> uuid.UUID:
    """Return this machine's identity, made once and kept in its data directory."""
    return _kept_id(settings.DATA_DIR / "machine-id")


def name() -> str:
    """Return what this machine is called; the names of its workers begin with that and a colon."""
    return Machine(id=machine_id(), host=_host()).name


def register() -> Machine:
    """Write down what this machine is. Return its row.

    Effect: inserts or updates one row; whether it is being drained stays as it was. Rows of machines that
    have been away for a month go.
    """
    now = timezone.now()
    device = hardware.find_device()
    machine, _is_new = Machine.objects.update_or_create(
        id=machine_id(),
        defaults={
            "host": _host(),
            "device": device.kind,
            "device_name": device.name[:120],
            "device_bytes": hardware.device_bytes(),
            "memory_bytes": hardware.memory_bytes(),
            "cores": hardware.cores(),
            "versions": hardware.versions(),
            "speed": speed.known(),
            "seen_at": now,
        },
    )
    Machine.objects.filter(seen_at__lt=now - _FORGOTTEN_AFTER).delete()
    return machine


def this_machine() -> Machine:
    """Return this machine's row, which is made if it is not there."""
    return Machine.objects.filter(pk=machine_id()).first() or register()


def jobs_of(machine: Machine) -> JobQuerySet:
    """Return the jobs that a machine holds now, the oldest first."""
    held = Job.objects.working().filter(worker__startswith=f"{machine.name}:")
    jobs: JobQuerySet = held.order_by("started_at")
    return jobs


def is_away(machine: Machine, now: datetime | None = None) -> bool:
    """Whether a machine has not been heard of for a while."""
    return machine.seen_at < (now or timezone.now()) - AWAY_AFTER


def largest_device(now: datetime | None = None) -> int:
    """Return the most device memory, in bytes, of the machines that are here and take jobs; 0 without any."""
    here = Machine.objects.filter(seen_at__gte=(now or timezone.now()) - AWAY_AFTER, is_draining=False)
    return int(here.aggregate(largest=Max("device_bytes"))["largest"] or 0)


def explain_waiting(job: Job) -> str:
    """Say why a waiting job fits nowhere at the moment; empty when it does, or does not wait."""
    if job.state != State.QUEUED or job.needs_bytes == 0:
        return ""
    here = Machine.objects.filter(seen_at__gte=timezone.now() - AWAY_AFTER)
    largest = here.aggregate(largest=Max("device_bytes"))["largest"] or 0
    sizes = {"needed": gibibytes(job.needs_bytes), "largest": gibibytes(largest)}
    if largest == 0:
        return _("No machine is on that could do this. It waits until one is.")
    if largest < job.needs_bytes:
        sentence = _(
            "This needs %(needed)s of device memory, and the largest machine has %(largest)s. It waits until "
            "a larger one joins; stop it, or ask the administrator of this studio."
        )
        return sentence % sizes
    if not here.filter(device_bytes__gte=job.needs_bytes, is_draining=False).exists():
        sentence = _(
            "This needs %(needed)s of device memory, and every machine that has it is being drained. It "
            "waits until one takes jobs again."
        )
        return sentence % sizes
    return ""


def gibibytes(nbytes: int) -> str:
    """Return an amount of memory as people read it."""
    return f"{nbytes / 2**30:.1f} GiB"


@transaction.atomic
def drain_machine(*, machine: Machine) -> bool:
    """Have a machine take no new jobs; it ends those it has. Return whether that is a change.

    Effect: its row; its workers are told when the transaction commits, and see it within seconds anyway.
    """
    return _set_draining(machine, is_draining=True)


@transaction.atomic
def take_back_machine(*, machine: Machine) -> bool:
    """Have a machine that was being drained take jobs again. Return whether that is a change."""
    return _set_draining(machine, is_draining=False)


def _set_draining(machine: Machine, *, is_draining: bool) -> bool:
    changed = Machine.objects.filter(pk=machine.pk, is_draining=not is_draining).update(
        is_draining=is_draining
    )
    machine.is_draining = is_draining
    transaction.on_commit(lambda: _tell_workers(machine), robust=True)
    return changed == 1


def _tell_workers(machine: Machine) -> None:
    """Have the machine's workers look at its row now instead of at their next beat."""
    with contextlib.suppress(RedisError):
        connection = hints()
        for key in Worker.all_keys(connection):
            worker = key.removeprefix(Worker.redis_worker_namespace_prefix)
            if worker.startswith(f"{machine.name}:"):
                send_command(connection, worker, LOOK_COMMAND)


class Presence:
    """What a worker's parent process says of its machine, and hears about it, every few seconds."""

    def __init__(self, idle_work: Sequence[IdleWork] = ()) -> None:
        """Begin. `idle_work`: what this worker goes on with when it has nothing else to do."""
        self.is_draining = False
        self._idle_work = idle_work
        self._next_beat = time.monotonic()

    def keep(self, *, is_idle: bool) -> None:
        """Beat if it is time. With the database away nothing is said, and what was heard still holds."""
        if time.monotonic() < self._next_beat:
            return
        self.look()
        if is_idle:
            for work in self._idle_work:
                work.go_on()

    def make_way(self) -> None:
        """Break off what is done when there is time: there is none now."""
        for work in self._idle_work:
            work.make_way()

    def look(self) -> None:
        """Say that this machine is there and hear whether it is being drained, now."""
        self._next_beat = time.monotonic() + BEAT_SECONDS
        try:
            with parent_database():
                self.is_draining = _beat()
        except DatabaseError:
            logger.warning("The machine could not say that it is there", exc_info=True)


def _beat() -> bool:
    """Say that this machine is there. Return whether it is being drained."""
    row = Machine.objects.filter(pk=machine_id())
    if row.update(seen_at=timezone.now(), speed=speed.known()) == 0:
        return register().is_draining
    return row.filter(is_draining=True).exists()


@cache
def _host() -> str:
    return socket.gethostname().replace(":", "-")[:100]


@cache
def _kept_id(path: Path) -> uuid.UUID:
    """Return the identity in a file. Two processes that start together agree: the first one wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        own = path.with_name(f"{path.name}.{os.getpid()}")
        own.write_text(str(uuid.uuid4()))
        with contextlib.suppress(FileExistsError):
            os.link(own, path)
        own.unlink()
    return uuid.UUID(path.read_text().strip())
