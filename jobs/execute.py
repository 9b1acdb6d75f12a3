"""One attempt from claim to end: the same path in every worker and in the tests."""

import logging
import os
import secrets
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from jobs import registry
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError, LeaseLost
from jobs.leases import claim_job, fail_job, finish_job, requeue_job
from jobs.models import Job, Queue, State
from jobs.pulse import Pulse

logger = logging.getLogger(__name__)

HOST = socket.gethostname()


def run_next(
    *,
    queue: str,
    worker: str,
    leaving: threading.Event | None = None,
    in_background: bool = True,
    now: datetime | None = None,
    on_start: Callable[[Pulse], None] | None = None,
) -> Job | None:
    """Claim the fairest job of a queue, do it and end it. Return it as claimed, or None when none waits.

    Never raises for what the job does: every end is written on its row.

    Args:
        queue: whose jobs.
        worker: the name that goes on the row, `new_worker_name`.
        leaving: set from outside when this worker has to go; the job is then saved and given back.
        in_background: whether a thread keeps the lease (`jobs.pulse`).
        now: rows that may start by then are eligible; by default this moment.
        on_start: told the pulse of the attempt before its handler begins.
    """
    job = claim_job(queue=queue, worker=worker, device=device(), threads=threads_for(queue), now=now)
    if job is None:
        return None
    leaving = leaving or threading.Event()
    pulse = Pulse(job, leaving=leaving, in_background=in_background)
    if on_start is not None:
        on_start(pulse)
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
    return f"{HOST}:{queue}:{os.getpid()}:{secrets.token_hex(3)}"


def device() -> str:
    """Return where engines compute on this machine, found without importing torch."""
    chosen: str = getattr(settings, "JOBS_DEVICE", "")
    return chosen or ("cuda" if Path("/dev/nvidia0").exists() else "cpu")


def threads_for(queue: str) -> int:
    """Return how many threads a job of this queue may use if it starts now.

    Whoever starts alone gets all cores; where a training and a generation share the machine, each gets half,
    at least one. Light work always takes one.
    """
    cores = len(os.sched_getaffinity(0))
    if queue == Queue.LIGHT:
        return 1
    heavy = Job.objects.working().filter(queue__in=[Queue.TRAIN, Queue.GENERATE])
    is_alone = not heavy.filter(worker__startswith=f"{HOST}:").exists()
    return cores if is_alone else max(1, cores // 2)


def _attempt(job: Job, pulse: Pulse, leaving: threading.Event) -> None:
    """Run the handler and write its end. Raises LeaseLost."""
    try:
        with _workdir(job) as workdir:
            handler = import_string(registry.get(job.kind).handler)
            outcome: Outcome = handler(JobContext(job, workdir=workdir, pulse=pulse))
            pulse.stop()
            if outcome.state == "succeeded":
                finish_job(job, State.SUCCEEDED, apply=outcome.apply, report=pulse.newest)
            elif leaving.is_set():
                requeue_job(job, cause="the worker had to leave", apply=outcome.apply, report=pulse.newest)
            else:
                finish_job(job, State.STOPPED, apply=outcome.apply, report=pulse.newest)
    except JobError as error:
        fail_job(job, error=str(error), cause="the work could not be done", is_final=True)
    except Exception:
        reference = secrets.token_hex(4)
        logger.exception("Job %s, attempt %s failed: reference %s", job, job.attempt, reference)
        sentence = _(
            "Something went wrong on our side. Try it again; if it happens again, write to us and name "
            "the reference %(reference)s."
        ) % {"reference": reference}
        fail_job(job, error=sentence, cause=f"fault {reference}", reference=reference)


@contextmanager
def _workdir(job: Job) -> Iterator[Path]:
    """A folder for this attempt alone; what killed attempts of the job left behind goes with it."""
    parent = work_root() / str(job.pk)
    parent.mkdir(parents=True, exist_ok=True)
    try:
        yield Path(tempfile.mkdtemp(prefix=f"{job.attempt}-", dir=parent))
    finally:
        shutil.rmtree(parent, ignore_errors=True)


def work_root() -> Path:
    """Return the folder of this machine in which attempts have their scratch folders."""
    root: Path = settings.DATA_DIR / "work"
    return root
