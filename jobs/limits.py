"""What a plan allows: so many jobs at once, so many hours at a time.

A job over its owner's number is *held back*: its row waits, but no claim sees it. Whoever ends one of the
owner's others lets the next one go, in the same transaction. Counting and letting go happen under the lock on
the owner's line (`jobs.fairness`), so that two at once never let through one too many.
"""

import uuid
from dataclasses import dataclass
from functools import partial

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.selectors import plan_limits
from jobs import registry, tokens
from jobs.fairness import lock_line, next_turn, present_turn
from jobs.models import Job
from jobs.registry import JobKind
from jobs.revisions import new_revision

_HOUR = 3600


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a job stands when it begins to wait: columns of its row."""

    turn: int
    is_held_back: bool = False
    seconds_left: int | None = None


def take_place(owner_id: uuid.UUID, kind: JobKind, *, is_relaxed: bool = False) -> Place:
    """Return the place of a job that begins to wait now.

    Effect: takes the lock on the owner's line until the transaction ends.
    """
    lock_line(owner_id)
    if kind.takes_no_turn:
        return Place(turn=present_turn(owner_id=owner_id, queue=kind.queue))
    if not kind.is_limited:
        return Place(turn=next_turn(owner_id=owner_id, queue=kind.queue, is_relaxed=is_relaxed))
    allowed = plan_limits(owner_id)
    hours = allowed.hours_at_a_time
    seconds_left = None if hours is None else hours * _HOUR
    if _count_let_through(owner_id) >= allowed.experiments_at_once:
        # It gets its turn when it is let go: until then it has no place among those that may start.
        return Place(turn=0, is_held_back=True, seconds_left=seconds_left)
    return Place(turn=next_turn(owner_id=owner_id, queue=kind.queue), seconds_left=seconds_left)


def let_next_go(owner_id: uuid.UUID) -> int:
    """Let go of as many of an owner's held-back jobs as there is room for; return how many those were.

    Effect: they join the queue now, the first submitted first. Takes the lock on the owner's line until the
    transaction ends. A row that is being canceled at this moment is passed over.
    """
    lock_line(owner_id)
    held_back = Job.objects.held_back().filter(owner_id=owner_id)
    if not held_back.exists():
        return 0
    room = plan_limits(owner_id).experiments_at_once - _count_let_through(owner_id)
    rows = held_back.select_for_update(skip_locked=True, of=("self",), no_key=True)[: max(0, room)]
    for job in rows:
        job.is_held_back = False
        job.turn = next_turn(owner_id=owner_id, queue=job.queue)
        job.rev = new_revision(job.rev)
        job.save(update_fields=["is_held_back", "turn", "rev"])
        transaction.on_commit(partial(tokens.send, job.queue), robust=True)
    return len(rows)


def release_held_back() -> int:
    """Let go of every held-back job that its owner's plan has room for; return how many those were.

    That is what a changed plan leaves behind. Effect: one transaction an owner.
    """
    owners = Job.objects.held_back().order_by().values_list("owner_id", flat=True).distinct()
    released = 0
    for owner_id in list(owners):
        with transaction.atomic():
            released += let_next_go(owner_id)
    return released


def explain_deadline(job: Job) -> str:
    """Return the sentence that the owner of a job reads that was stopped at its deadline."""
    hours = plan_limits(job.owner_id).hours_at_a_time if job.seconds_left is not None else None
    if hours is None:
        return _("This reached its time limit and was stopped; what it had made is kept.")
    sentence = ngettext(
        "Your plan trains for %(hours)s hour at a time, so this stopped with a snapshot. "
        "Press Resume, and it goes on for as long again.",
        "Your plan trains for %(hours)s hours at a time, so this stopped with a snapshot. "
        "Press Resume, and it goes on for as long again.",
        hours,
    )
    return sentence % {"hours": hours}


def _count_let_through(owner_id: uuid.UUID) -> int:
    """Count the owner's limited jobs that wait in the queue or work."""
    limited = Job.objects.active().filter(kind__in=registry.limited_names(), is_held_back=False)
    return int(limited.filter(owner_id=owner_id).count())
