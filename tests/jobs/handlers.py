"""The work that the tests' jobs do."""

import os
import signal
import time

from billing.selectors import Quote
from engines.progress import Control
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError
from jobs.models import Job


def noop(context: JobContext) -> Outcome:
    return Outcome()


def count(context: JobContext) -> Outcome:
    """Take `total` steps of 50 ms from where the row stands, and stop when asked."""
    total = context.job.total
    for step in range(context.job.step + 1, total + 1):
        time.sleep(0.05)
        if context.report(step=step, total=total, values={"loss": 1 / step}) == Control.STOP:
            return Outcome(state="stopped")
    return Outcome()


def refuse(context: JobContext) -> Outcome:
    raise JobError("These pictures cannot be used. Add at least four.")


def crash(context: JobContext) -> Outcome:
    raise RuntimeError("a fault")


def die(context: JobContext) -> Outcome:
    """Kill this process at the first attempt; succeed at the second."""
    if context.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return Outcome()


def limited(context: JobContext) -> Outcome:
    return Outcome()


SLICE = 4


def slice_end(job: Job) -> int:
    return min(job.total, (job.delivered // SLICE + 1) * SLICE)


def sliced(context: JobContext) -> Outcome:
    """Deliver `total` units, slice by slice, from where the row stands."""
    job = context.job
    while job.delivered < job.total:
        job.delivered = slice_end(job)
        context.report(step=job.delivered, total=job.total)
        with context.fenced():
            cost = job.price.for_quantity(slice_end(job)) - job.price.for_quantity(job.delivered)
            goes_on = context.deliver_slice(job.delivered, next_quote=Quote(credits=cost, price=job.price))
        if not goes_on:
            return Outcome(state="stopped")
    return Outcome()


def deaf(context: JobContext) -> Outcome:
    """Work on, whatever is asked."""
    time.sleep(60)
    return Outcome()


ended: list[tuple[str, str]] = []


def note_end(job: Job) -> None:
    ended.append((job.label, job.state))


def fail_to_note_end(job: Job) -> None:
    raise RuntimeError("a fault in what follows")
