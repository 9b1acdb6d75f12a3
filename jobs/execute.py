"""One attempt from claim to end: the same path in every worker and in the tests."""

import logging
import os
import secrets
import shutil
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import close_old_connections, connection
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from jobs import hardware, machines, registry
from jobs.claims import claim_job
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError, LeaseLost
from jobs.leases import fail_job, finish_job, requeue_job
from jobs.models import Job, Queue, State
from jobs.processes import Leaving
from jobs.pulse import Pulse

logger = logging.getLogger(__name__)


def run_next(
    *,
    queue: str,
    worker: str,
    leaving: Leaving | None = None,
    in_background: bool = True,
    now: datetime | None = None,
) -> Job | None:
    """Claim the fairest job of a queue that this machine can do, do it and end it. Return it as claimed.

    None when there is none, or when the machine is being drained.

    Never raises for what the job does: every end is written on its row.

    Args:
        queue: whose jobs.
        worker: the name that goes on the row, `new_worker_name`.
        leaving: asked from outside when this worker has to go; the job is then saved and given back.
        in_background: whether a thread keeps the lease (`jobs.pulse`).
        now: rows that may start by then are eligible; by default this moment.
    """
    leaving = leaving or Leaving()
    if leaving.asked or not machines.may_claim():
        return None
    job = claim_job(
        queue=queue,
        worker=worker,
        device=hardware.device_kind(),
        device_bytes=hardware.device_bytes(),
        threads=threads_for(queue),
        now=now,
    )
    if job is None:
        return None
    pulse = Pulse(job, leaving=leaving, in_background=in_background)
    pulse.start()
    try:
        _attempt(job, pulse, leaving)
    except LeaseLost:
        logger.warning(
            "Job %s, attempt %s: somebody else holds it now; nothing was written", job, job.attempt
        )
    finally:
        pulse.stop()
    return job


def new_worker_name(queue: str) -> str:
    """Return a name that no other worker has, now or later."""
    return f"{machines.name()}:{queue}:{os.getpid()}:{secrets.token_hex(3)}"


def threads_for(queue: str) -> int:
    """Return how many threads a job of this queue may use if it starts now.

    Whoever starts alone gets all cores but one, which is left to pages and servers: threads that wait for
    each other in small operations lose far more to a busy core than they win by it. Where a training and a
    generation share the machine, each gets half, at least one. Light work always takes one.
    """
    cores = len(os.sched_getaffinity(0))
    alone, shared = max(1, cores - 1), max(1, cores // 2)
    if queue == Queue.LIGHT:
        return 1
    if alone == shared:
        return alone
    heavy = Job.objects.working().filter(queue__in=[Queue.TRAIN, Queue.GENERATE])
    is_alone = not heavy.filter(worker__startswith=f"{machines.name()}:").exists()
    return alone if is_alone else shared


def _attempt(job: Job, pulse: Pulse, leaving: Leaving) -> None:
    """Run the handler and write its end. Raises LeaseLost."""
    scratch = work_root() / str(job.pk)
    try:
        handler = import_string(registry.get(job.kind).handler)
        outcome: Outcome = handler(JobContext(job, scratch=scratch, pulse=pulse))
        pulse.stop()
        if outcome.state == "succeeded":
            finish_job(job, State.SUCCEEDED, apply=outcome.apply, report=pulse.newest)
        elif leaving.asked:
            requeue_job(job, cause="the worker had to leave", apply=outcome.apply, report=pulse.newest)
        else:
            finish_job(job, State.STOPPED, apply=outcome.apply, report=pulse.newest)
    except JobError as error:
        fail_job(job, error=str(error), cause="the work could not be done", is_final=True)
    except Exception:
        reference = secrets.token_hex(4)
        logger.exception("Job %s, attempt %s failed: reference %s", job, job.attempt, reference)
        if not connection.in_atomic_block:
            close_old_connections()  # if the fault was the database's, its end is written over a new one
        sentence = _(
            "Something went wrong on our side. Try it again; if it happens again, write to us and name "
            "the reference %(reference)s."
        ) % {"reference": reference}
        fail_job(job, error=sentence, cause=f"fault {reference}", reference=reference)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


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
