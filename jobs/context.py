"""What a handler gets: its job, how to report, and the fence around its writes."""

import math
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeGuard

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.exceptions import AccountBlocked, CreditsShort
from billing.selectors import Quote
from engines.progress import Control
from jobs.charging import pay_slice
from jobs.exceptions import LeaseLost
from jobs.models import WORKING_STATES, Job, State
from jobs.moves import lock_attempt, move_job
from jobs.progress import Report
from jobs.pulse import Pulse
from jobs.revisions import new_revision


def _is_finite(number: float | None) -> TypeGuard[float]:
    """Whether a number can be stored: neither JSON in PostgreSQL nor a chart knows NaN."""
    return number is not None and math.isfinite(number)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a handler ended.

    Attributes:
        state: "succeeded", or "stopped" when it obeyed Control.STOP and has saved what there is.
        apply: the last writes to work tables, run in the transaction that ends the job: both or neither.
    """

    state: Literal["succeeded", "stopped"] = "succeeded"
    apply: Callable[[], None] | None = None


class JobContext:
    """One attempt at one job, as its handler sees it.

    Attributes:
        job: the row as claimed; it is not kept up to date.
        job_id, attempt, owner_id: of that row.
        threads: how many threads the work may use (`torch.set_num_threads`), recorded on the row.
        device: "cpu" or "cuda".
    """

    def __init__(self, job: Job, *, scratch: Path, pulse: Pulse) -> None:
        self.job = job
        self.job_id: uuid.UUID = job.pk
        self.attempt: int = job.attempt
        self.owner_id: uuid.UUID = job.owner_id
        self.threads: int = job.threads
        self.device: str = job.device
        self._scratch = scratch
        self._held: Job | None = None  # the locked row, inside `fenced`
        self._pulse = pulse

    @cached_property
    def workdir(self) -> Path:
        """A private folder of this attempt, made on first use and removed when the attempt ends."""
        folder = self._scratch / str(self.attempt)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def report(
        self,
        *,
        step: int,
        total: int,
        message: str = "",
        eta_seconds: float | None = None,
        values: Mapping[str, float] | None = None,
        preview: str = "",
    ) -> Control:
        """Say how far the work is, as often as you like, and learn what to do next.

        Only the newest report is passed on: to Redis every second, to the row every few. `preview` is the
        storage key of a picture. `values` that are not finite are left out, and so is such an `eta_seconds`.
        Raises LeaseLost when this attempt no longer holds the job.
        """
        self._pulse.report(
            Report(
                step=int(step),
                total=int(total),
                eta_seconds=float(eta_seconds) if _is_finite(eta_seconds) else None,
                message=message,
                values={name: float(value) for name, value in (values or {}).items() if _is_finite(value)},
                preview=preview,
            )
        )
        return self.control()

    def control(self) -> Control:
        """Return what has been asked of the work: STOP until it stops; SNAPSHOT and SAMPLE once each.

        Raises LeaseLost when this attempt no longer holds the job.
        """
        return self._pulse.control()

    @contextmanager
    def fenced(self) -> Iterator[None]:
        """A transaction in which this attempt holds the job: all writes to work tables go inside.

        Raises LeaseLost when it does not. The row stays locked, so keep slow work outside.
        """
        with transaction.atomic():
            self._held = lock_attempt(self.job)
            try:
                yield
            finally:
                self._held = None

    def touch(self) -> None:
        """Tell pages that there is something new. Inside `fenced`, they learn of it with the new rows.

        Raises LeaseLost.
        """
        held = Job.objects.filter(pk=self.job_id, attempt=self.attempt, state__in=WORKING_STATES)
        if held.update(rev=new_revision(self.job.rev)) != 1:
            raise LeaseLost(str(self.job))

    def deliver(self, units: int) -> Job:
        """Note how much has been handed over in all, in the units that the job is priced in. Return the row.

        Call it inside `fenced`, with the writes that hand it over: it is what the owner is charged for when
        the job ends, however it ends. It never falls. Pages learn of it as by `touch`. Raises LeaseLost.
        """
        row = self._held or lock_attempt(self.job)
        row.delivered = max(row.delivered, units)
        row.rev = new_revision(row.rev)
        row.save(update_fields=["delivered", "rev"])
        return row

    def deliver_slice(self, units: int, *, next_quote: Quote) -> bool:
        """Note that a slice has been handed over, `units` in all: it is charged and the next one held.

        Call it inside `fenced`, with the writes that hand it over; a slice that has been delivered already is
        not charged again. Return whether the work may go on. Where the credits do not suffice for the next
        slice, the job is stopping from then on and its owner reads why: save what is not saved yet, and
        return an Outcome that says "stopped". Raises LeaseLost.
        """
        delivered_before = lock_attempt(self.job).delivered
        row = self.deliver(units)
        if units <= delivered_before or row.state == State.STOPPING:
            return True
        problem = pay_slice(row, next_quote)
        if problem is None:
            return True
        move_job(
            row,
            State.STOPPING,
            cause="out of credits" if isinstance(problem, CreditsShort) else "the account is blocked",
            worker=self.job.worker,
            error=_explain_stop(problem),
            cancel_requested_at=timezone.now(),
        )
        return False


def _explain_stop(problem: CreditsShort | AccountBlocked) -> str:
    if isinstance(problem, CreditsShort):
        # What is missing changes with every purchase: the page works it out when it is shown.
        return _("Your credits ran out, so this stopped and saved itself. Add credits, then press Resume.")
    return f"{problem} " + _("Until then this has stopped and saved itself.")
