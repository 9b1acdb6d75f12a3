"""The job: one row per piece of work, the single source of truth about it."""

import uuid
from datetime import datetime
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.querysets import OwnedQuerySet
from billing.models import Price
from jobs.revisions import new_revision


class State(models.TextChoices):
    """Where a job stands. `jobs.states.MOVES` lists the moves that are allowed."""

    QUEUED = "queued", _("Waiting")
    RUNNING = "running", _("Running")
    STOPPING = "stopping", _("Stopping")
    SUCCEEDED = "succeeded", _("Done")
    STOPPED = "stopped", _("Stopped")
    FAILED = "failed", _("Failed")
    CANCELED = "canceled", _("Canceled")


ACTIVE_STATES = (State.QUEUED, State.RUNNING, State.STOPPING)
WORKING_STATES = (State.RUNNING, State.STOPPING)


class Queue(models.TextChoices):
    """Which workers take a job."""

    TRAIN = "train", _("Training")
    GENERATE = "generate", _("Generating")
    LIGHT = "light", _("Light work")


class JobQuerySet(OwnedQuerySet):
    """The questions that workers, pages and the reconciler ask about many jobs."""

    def waiting(self, queue: str) -> Self:
        """Keep the rows of a queue that wait, the fairest first."""
        return self.filter(queue=queue, state=State.QUEUED).order_by("turn", "queued_at", "id")

    def eligible(self, queue: str, now: datetime) -> Self:
        """Keep the waiting rows that may start now."""
        may_start = Q(not_before__isnull=True) | Q(not_before__lte=now)
        return self.waiting(queue).filter(may_start, is_held_back=False)

    def held_back(self) -> Self:
        """Keep the rows that wait for one of their owner's others to end, the first submitted first."""
        return self.filter(state=State.QUEUED, is_held_back=True).order_by("queued_at", "id")

    def active(self) -> Self:
        """Keep the rows that wait or work."""
        return self.filter(state__in=ACTIVE_STATES)

    def working(self) -> Self:
        """Keep the rows that a worker holds."""
        return self.filter(state__in=WORKING_STATES)

    def leased_out(self, now: datetime) -> Self:
        """Keep the rows whose worker has not been heard of for a whole lease."""
        return self.working().filter(lease_until__lt=now)


class Job(models.Model):
    """A piece of work. Work tables (an experiment, a generation) point here; nothing here points to them."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="jobs")
    kind = models.CharField(max_length=60)
    queue = models.CharField(max_length=20, choices=Queue.choices)
    label = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=20, choices=State.choices, default=State.QUEUED)

    # The fencing token: only the worker that holds this number may write for the job.
    attempt = models.PositiveIntegerField(default=0)
    # Counted apart from attempts: a deploy or a lost lease must not use up a long training's chances.
    failures = models.PositiveIntegerField(default=0)
    max_failures = models.PositiveIntegerField(default=3)
    # Over its owner's limit of jobs at once: it waits until one of the owner's others ends.
    is_held_back = models.BooleanField(default=False)
    # Done for nothing once its owner's credits are used up, behind what is paid for. See `jobs.fairness`.
    is_relaxed = models.BooleanField(default=False)
    # Waiting jobs with the same key may run together, in one batch.
    batch_key = models.CharField(max_length=120, blank=True)
    # Memory of the device, in bytes, without which the job is not begun.
    needs_bytes = models.PositiveBigIntegerField(default=0)
    # The place in the fair order: the claim takes the smallest first. See `jobs.fairness`.
    turn = models.BigIntegerField(default=0)
    # Grows with every change that a page shows; a page asks for what is newer than the one it holds.
    rev = models.BigIntegerField(default=new_revision)

    lease_until = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    deadline_at = models.DateTimeField(null=True, blank=True)
    # What is left of the time that its owner's plan allows at a time; it runs down while the job is worked
    # on.
    seconds_left = models.PositiveIntegerField(null=True, blank=True)
    not_before = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    snapshot_requested_at = models.DateTimeField(null=True, blank=True)
    sample_requested_at = models.DateTimeField(null=True, blank=True)

    # The receipt, in credits: the price agreed at the start, what was held so far in all slices together, and
    # what of it was charged. The ledger is the truth; this is its copy, written in the same transaction.
    price = models.ForeignKey(Price, on_delete=models.PROTECT, null=True, blank=True, related_name="jobs")
    price_held = models.PositiveIntegerField(default=0)
    price_charged = models.PositiveIntegerField(default=0)
    # What has been handed over so far, in the units in which the kind is priced (pictures, steps).
    delivered = models.PositiveIntegerField(default=0)

    step = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    # Where `step` stood at the claim: an attempt that is lost without a step is counted as a failure.
    claimed_step = models.PositiveIntegerField(default=0)
    # What else was last reported (message, eta_seconds, values, preview): shown when Redis has nothing newer.
    progress = models.JSONField(default=dict, blank=True)
    worker = models.CharField(max_length=120, blank=True)
    device = models.CharField(max_length=60, blank=True)
    threads = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)
    error_reference = models.CharField(max_length=20, blank=True)

    created_at = models.DateTimeField(auto_now_add=True)
    queued_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        permissions = [
            ("cancel_job", "Can cancel anybody's job"),
            ("requeue_job", "Can have anybody's job done again"),
            ("release_credits", "Can give back credits that a job was charged"),
        ]
        indexes = [
            models.Index(
                fields=["queue", "turn", "queued_at"],
                condition=Q(state="queued", is_held_back=False),
                name="jobs_waiting",
            ),
            models.Index(
                fields=["batch_key", "turn"],
                condition=Q(state="queued", is_held_back=False) & ~Q(batch_key=""),
                name="jobs_batch",
            ),
            models.Index(
                fields=["owner", "queued_at"],
                condition=Q(state="queued", is_held_back=True),
                name="jobs_held_back",
            ),
            models.Index(
                fields=["queue", "-turn"], condition=~Q(state__in=["queued", "canceled"]), name="jobs_started"
            ),
            models.Index(
                fields=["owner", "queue", "is_relaxed", "-turn"],
                condition=~Q(state="canceled"),
                name="jobs_owner_turn",
            ),
            models.Index(
                fields=["lease_until"], condition=Q(state__in=["running", "stopping"]), name="jobs_leased"
            ),
            models.Index(fields=["owner", "state"], name="jobs_owner_state"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["running", "stopping"], lease_until__isnull=False)
                | (~Q(state__in=["running", "stopping"]) & Q(lease_until__isnull=True)),
                name="jobs_lease_while_working",
            ),
            models.CheckConstraint(condition=Q(state__in=State.values), name="jobs_state_known"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def is_active(self) -> bool:
        """Whether the job waits or works."""
        return self.state in ACTIVE_STATES

    @property
    def is_working(self) -> bool:
        """Whether a worker holds the job."""
        return self.state in WORKING_STATES


class JobEvent(models.Model):
    """One change of a job's state with its cause: the timeline that an admin reads."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(auto_now_add=True)
    from_state = models.CharField(max_length=20, blank=True)
    to_state = models.CharField(max_length=20, choices=State.choices)
    attempt = models.PositiveIntegerField()
    cause = models.CharField(max_length=200)
    worker = models.CharField(max_length=120, blank=True)

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.from_state} -> {self.to_state}: {self.cause}"


class EndMail(models.Model):
    """The e-mail that tells an owner of the end of a job, one for each end, and the job that sends it."""

    ended = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="end_mails")
    # Which end it was: a job that is resumed ends again, with a later attempt.
    attempt = models.PositiveIntegerField()
    state = models.CharField(max_length=20, choices=State.choices)
    job = models.OneToOneField(Job, on_delete=models.CASCADE, related_name="end_mail")
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["ended", "attempt"], name="jobs_one_mail_for_each_end")
        ]

    def __str__(self) -> str:
        return f"{self.ended}, attempt {self.attempt}: {self.state}"


class Machine(models.Model):
    """A computer on which workers run. Each registers itself; an admin sees what it does and can drain it."""

    id = models.UUIDField(primary_key=True, editable=False)
    host = models.CharField(max_length=120)
    device = models.CharField(max_length=60)
    device_name = models.CharField(max_length=120, blank=True)
    # What a job can ask for: the memory of the device (of the machine itself where that is its processor).
    device_bytes = models.PositiveBigIntegerField()
    memory_bytes = models.PositiveBigIntegerField()
    cores = models.PositiveIntegerField()
    # Of Atelier, Python, torch and the driver.
    versions = models.JSONField(default=dict)
    # Measured by itself: multiply-adds a second of the device, in billions.
    speed = models.FloatField(null=True, blank=True)
    # Takes no new jobs; what it does, it ends.
    is_draining = models.BooleanField(default=False)
    registered_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ["host", "id"]
        verbose_name = _("machine")
        verbose_name_plural = _("machines")
        permissions = [("drain_machine", "Can drain a machine and take it back")]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """What its workers' names begin with: two data directories on one host are two machines."""
        return f"{self.host}-{self.id.hex[:6]}"
