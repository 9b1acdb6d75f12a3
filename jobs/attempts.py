"""One attempt at a job, from its handler's first step to its end; and several attempts side by side.

A handler that works on its own job alone is a plain function. Where waiting jobs can be done together, the
kind names a `compute` besides, and the handler is a generator: it yields what it wants computed, gets the
result back, and returns its Outcome at last.

    def draw(context: JobContext) -> Generator[Wanted, Pixels, Outcome]:
        pixels = yield Wanted(seed=...)
        with context.fenced():
            Picture.objects.create(...)
        return Outcome()

    def draw_together(wanted: Sequence[Wanted]) -> Sequence[Pixels]: ...

So the work reads as for one job, and every job of a batch keeps its own attempt, requests, fence, failure and
end; only what is slow is done for all of them at once.

Where that takes long, the kind says `hands_over` and `compute` gets a function besides: `hand_over(place,
result)` lets one of the jobs go on while the others are still computed: with what it wanted, or with None to
tell one that was stopped. It may be called again for a job that has asked for more since. What `compute`
returns for a place that it has handed over is not looked at.
"""

import logging
import secrets
import shutil
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from django.db import close_old_connections, connection
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from jobs import registry
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError, LeaseLost
from jobs.leases import fail_job, finish_job, requeue_job
from jobs.models import Job, State
from jobs.processes import Leaving
from jobs.pulse import Pulse

logger = logging.getLogger(__name__)

Steps = Generator[Any, Any, Outcome]


class Attempt:
    """One attempt at one job. Nothing that the handler does gets out of it: every end is on the row."""

    def __init__(self, job: Job, *, pulse: Pulse, leaving: Leaving, scratch: Path) -> None:
        """Make an attempt at a claimed job. `scratch` is a folder of its own, removed at the end."""
        self.job = job
        self._pulse = pulse
        self._leaving = leaving
        self._scratch = scratch
        self._steps: Steps = _steps_of(job, JobContext(job, scratch=scratch, pulse=pulse))

    def go_on(self, result: Any = None) -> Any:
        """Let the handler go on, with what it asked for or the exception that came of asking.

        Return what it asks for next. None: the attempt is over, and its end has been written.
        """
        wanted = None
        try:
            wanted = self._go_on(result)
        except LeaseLost:
            logger.warning(
                "Job %s, attempt %s: somebody else holds it now; nothing was written",
                self.job,
                self.job.attempt,
            )
        if wanted is None:
            self._pulse.stop()
            shutil.rmtree(self._scratch, ignore_errors=True)
        return wanted

    def _go_on(self, result: Any) -> Any:
        """Take a step and write the end if it was the last one. Raises LeaseLost."""
        try:
            return self._step(result)
        except JobError as error:
            fail_job(self.job, error=str(error), cause="the work could not be done", is_final=True)
        except Exception as error:  # noqa: BLE001 -- whatever the work raises is written on its row
            self._fail(error)
        return None

    def _step(self, result: Any) -> Any:
        try:
            return self._steps.throw(result) if isinstance(result, Exception) else self._steps.send(result)
        except StopIteration as end:
            self._finish(end.value)
            return None

    def _finish(self, outcome: Outcome) -> None:
        """Write the end of a handler that has returned."""
        self._pulse.stop()
        report = self._pulse.newest
        if outcome.state == "succeeded":
            finish_job(self.job, State.SUCCEEDED, apply=outcome.apply, report=report)
        elif self._leaving.asked:
            requeue_job(self.job, cause="the worker had to leave", apply=outcome.apply, report=report)
        else:
            finish_job(self.job, State.STOPPED, apply=outcome.apply, report=report)

    def _fail(self, fault: Exception) -> None:
        """Write a fault: its traceback goes into the log, the reference to it on the row."""
        reference = secrets.token_hex(4)
        text = "Job %s, attempt %s failed: reference %s"
        logger.error(text, self.job, self.job.attempt, reference, exc_info=fault)
        if not connection.in_atomic_block:
            close_old_connections()  # if the fault was the database's, its end is written over a new one
        sentence = _(
            "Something went wrong on our side. Try it again; if it happens again, write to us and name "
            "the reference %(reference)s."
        ) % {"reference": reference}
        fail_job(self.job, error=sentence, cause=f"fault {reference}", reference=reference)


def run_together(attempts: Sequence[Attempt]) -> None:
    """Do the attempts of one batch, each to its end: whatever they ask for in one round is computed at once.

    Where that fails as a whole (the memory does not suffice, one job's wish breaks it) it is computed for one
    after the other, and only the job whose own wish fails is told.
    """
    asking = [(attempt, attempt.go_on()) for attempt in attempts]
    while asking := [(attempt, wanted) for attempt, wanted in asking if wanted is not None]:
        asking = _Round(asking).run()


class _Round:
    """What the attempts of a batch want now; each goes on as soon as it has got it."""

    def __init__(self, asking: Sequence[tuple[Attempt, Any]]) -> None:
        self._asking = asking
        self._kind = registry.get(asking[0][0].job.kind)
        # By place: what an attempt asks for next, None once it is over.
        self._next: dict[int, Any] = {}

    def run(self) -> list[tuple[Attempt, Any]]:
        """Compute everything. Return the attempts with what they ask for next."""
        self._compute(range(len(self._asking)))
        return [(attempt, self._next[place]) for place, (attempt, _wanted) in enumerate(self._asking)]

    def _compute(self, places: Sequence[int]) -> None:
        """Have these places computed; one after the other where that fails for all at once."""
        try:
            results = self._results(places)
        except Exception as error:
            if len(places) == 1:
                self._settle(places[0], error)
                return
            logger.warning("A batch of %s failed; it is done one by one", self._kind.name, exc_info=True)
            for place in places:
                if place not in self._next:
                    self._compute([place])
            return
        for place, result in zip(places, results, strict=True):
            if place not in self._next:
                self._settle(place, result)

    def _results(self, places: Sequence[int]) -> list[Any]:
        compute = import_string(self._kind.compute or "")
        wanted = [self._asking[place][1] for place in places]
        if not self._kind.hands_over:
            return list(compute(wanted))
        return list(compute(wanted, lambda number, result: self._settle(places[number], result)))

    def _settle(self, place: int, result: Any) -> None:
        """Let an attempt go on with a result, also one that had its result and has asked for more since."""
        if place in self._next and self._next[place] is None:
            return
        self._next[place] = None
        self._next[place] = self._asking[place][0].go_on(result)


def _steps_of(job: Job, context: JobContext) -> Steps:
    """Run a job's handler as a generator, whether it is one or not."""
    kind = registry.get(job.kind)
    handler = import_string(kind.handler)
    if kind.compute is None:
        outcome: Outcome = handler(context)
    else:
        outcome = yield from handler(context)
    return outcome
