"""What staff do with other people's jobs. Each names who and why, in the timeline and in the ledger."""

from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from accounts.models import User
from billing.ledger import Actor
from billing.models import CreditGrant, CreditHold
from billing.services import refund_work
from jobs import tokens
from jobs.exceptions import MoveRefusedError
from jobs.leases import requeue_job
from jobs.models import Job, State
from jobs.moves import lock_job
from jobs.progress import ask_to_look
from jobs.services import resume_job, stop_job


@transaction.atomic
def cancel_job(*, job: Job, staff: User, reason: str) -> Job:
    """Stop somebody's job: one that waits is canceled, one that runs saves what there is and stops.

    Effect: as `stop_job`; its owner reads the reason. Raises MoveRefusedError when it neither waits nor runs.
    """
    row = lock_job(job)
    if row.state not in (State.QUEUED, State.RUNNING):
        raise MoveRefusedError(_("It neither waits nor runs, so there is nothing to stop."))
    explanation = _("The people who run this studio stopped it: %(reason)s") % {"reason": reason}
    return stop_job(job=row, cause=f"canceled by {staff.public_name}: {reason}", explanation=explanation)


@transaction.atomic
def requeue_job_again(*, job: Job, staff: User, reason: str) -> Job:
    """Have somebody's job done again, from what it has saved.

    Effect: a running one is taken from its worker, which may write nothing any more, and waits in the place
    that it had; a stopped or failed one waits again as if its owner had resumed it, credits included.
    Raises MoveRefusedError in any other state or for a kind that cannot go on, and what `resume_job` raises.
    """
    row = lock_job(job)
    cause = f"queued again by {staff.public_name}: {reason}"
    if row.state == State.RUNNING:
        requeue_job(row, cause=cause)
        transaction.on_commit(lambda: ask_to_look(row.pk), robust=True)
        transaction.on_commit(lambda: tokens.send(row.queue), robust=True)
        return lock_job(row)
    return resume_job(job=row, cause=cause)


def credits_charged(job: Job) -> int:
    """Return the credits that the ledger has charged for a job."""
    total = CreditHold.objects.filter(work_ref=job.pk).aggregate(total=Sum("charged"))["total"]
    return int(total or 0)


def credits_given_back(job: Job) -> int:
    """Return the credits that staff have given back for a job."""
    grant = CreditGrant.objects.filter(source_ref=f"jobrefund:{job.pk}").first()
    return grant.amount if grant else 0


@transaction.atomic
def give_credits_back(*, job: Job, amount: int, staff: User, reason: str) -> CreditGrant:
    """Give back credits that a job was charged, once, because a fault was found afterwards.

    Effect: a goodwill grant in the ledger that names who and why; the job's receipt stays as it is.
    Raises RefundTooLarge, ReasonMissing, ReferenceReused (it was done before with another amount).
    """
    return refund_work(work_ref=job.pk, amount=amount, reason=reason, actor=Actor.of(staff))
