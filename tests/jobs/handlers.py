"""The work that the tests' jobs do."""

import os
import signal
import time
from collections.abc import Callable, Sequence

from billing.selectors import Quote
from engines.progress import Control
from jobs.attempts import Steps
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError
from jobs.mail import Letter
from jobs.models import Job, State


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


def told(context: JobContext) -> Outcome:
    """End as the label says."""
    if context.job.label == "refuse":
        raise JobError("It cannot be done. Choose another picture.")
    return Outcome(state="stopped" if context.job.label == "stop" else "succeeded")


def letter(job: Job) -> Letter | None:
    if job.label == "silent":
        return None
    return Letter(subject=f"{job.label}\nis {job.state}", paragraphs=["It ended.", job.error], path="/there/")


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


def together(context: JobContext) -> Steps:
    """Have the label shouted once for each unit, and stop when asked."""
    total = max(context.job.total, 1)
    for step in range(context.job.step, total):
        if context.report(step=step, total=total) is Control.STOP:
            return Outcome(state="stopped")
        answer = yield context.job.label
        assert answer in (context.job.label.upper(), None)
    context.report(step=total, total=total)
    return Outcome()


# What has been computed in one go.
rounds: list[list[str]] = []


def shout(labels: Sequence[str]) -> list[str]:
    """Answer in capitals. Three labels can break what is done with them: one of them only in company."""
    rounds.append(list(labels))
    if "fatal" in labels and len(labels) > 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if "deaf" in labels:
        time.sleep(60)
    if "poison" in labels:
        raise RuntimeError("poison")
    return [label.upper() for label in labels]


def shout_one_by_one(labels: Sequence[str], hand_over: Callable[[int, str | None], None]) -> list[None]:
    """Serve one after the other, and tell whoever has been stopped since."""
    rounds.append(list(labels))
    for place, label in enumerate(labels):
        if label == "poison":
            raise ValueError(label)
        for earlier, name in enumerate(labels[:place]):
            if Job.objects.get(label=name).state == State.STOPPING:
                hand_over(earlier, None)
        hand_over(place, label.upper())
    return [None] * len(labels)
