"""From claim to end: the same path in every worker and in the tests."""

import logging
import os
import secrets
import shutil
from datetime import datetime
from pathlib import Path

from django.conf import settings

from jobs import hardware, holds, machines
from jobs.attempts import Attempt, run_together
from jobs.claims import claim_batch
from jobs.models import Job, Queue
from jobs.processes import Leaving
from jobs.pulse import Pulse, beating

logger = logging.getLogger(__name__)


def run_next(
    *,
    queue: str,
    worker: str,
    leaving: Leaving | None = None,
    in_background: bool = True,
    now: datetime | None = None,
) -> list[Job]:
    """Claim the fairest job of a queue that this machine can do, and do it. Return it as claimed.

    With it go the waiting jobs that can be done in the same batch. Nothing is claimed when there is nothing,
    or when the machine is being drained. Never raises for what a job does: every end is on its row.

    Args:
        queue: whose jobs.
        worker: the name that goes on the row, `new_worker_name`.
        leaving: asked from outside when this worker has to go; the job is then saved and given back.
        in_background: whether a thread keeps the lease (`jobs.pulse`).
        now: rows that may start by then are eligible; by default this moment.
    """
    leaving = leaving or Leaving()
    if leaving.asked:
        return []
    jobs = claim_batch(
        queue=queue,
        worker=worker,
        device=hardware.device_kind(),
        device_bytes=hardware.device_bytes(),
        threads=threads_for(queue),
        machine=machines.machine_id(),
        now=now,
    )
    pulses = [Pulse(job, leaving=leaving, in_background=in_background) for job in jobs]
    attempts = [
        Attempt(job, pulse=pulse, leaving=leaving, scratch=work_root() / str(job.pk))
        for job, pulse in zip(jobs, pulses, strict=True)
    ]
    try:
        with beating(pulses if in_background else []):
            run_together(attempts)
    finally:
        holds.let_go()
    return jobs


def new_worker_name(queue: str) -> str:
    """Return a name that no other worker has, now or later."""
    return f"{machines.name()}:{queue}:{os.getpid()}:{secrets.token_hex(3)}"


def threads_for(queue: str) -> int:
    """Return how many threads a job of this queue may use if it starts now.

    Whoever starts alone gets all cores but one, which is left to pages and servers: threads that wait for
    each other in small operations lose far more to a busy core than they win by it. Where a training and a
    generation share the machine, each gets half, at least one. Light work always takes one.
    """
    cores = hardware.cores()
    alone, shared = hardware.threads_alone(cores), max(1, cores // 2)
    if queue == Queue.LIGHT:
        return 1
    if alone == shared:
        return alone
    heavy = Job.objects.working().filter(queue__in=[Queue.TRAIN, Queue.GENERATE])
    is_alone = not heavy.filter(worker__startswith=f"{machines.name()}:").exists()
    return alone if is_alone else shared


def sweep_workdirs() -> None:
    """Remove the scratch folders that killed attempts left on this machine."""
    working = {str(pk) for pk in Job.objects.working().values_list("pk", flat=True)}
    for folder in work_root().glob("*"):
        if folder.name not in working:
            shutil.rmtree(folder, ignore_errors=True)


def work_root() -> Path:
    """Return the folder of this machine in which attempts have their scratch folders."""
    root: Path = settings.DATA_DIR / "work"
    return root
