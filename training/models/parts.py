"""What the tables of experiments and of AI trainings have in common: snapshots, drafts, points of curves."""

import uuid
from typing import ClassVar

from django.db import models
from django.urls import reverse

from accounts.querysets import OwnedQuerySet


class SnapshotOfRun(models.Model):
    """What was learned by one step, with the pictures that show it.

    Whoever inherits names the field of its training and the address of its pictures.
    """

    run_field: ClassVar[str]
    grid_view: ClassVar[str]

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    step = models.PositiveIntegerField()
    attempt = models.PositiveIntegerField()
    # Storage keys; a sample taken between snapshots has a grid and no weights.
    grid = models.CharField(max_length=200)
    folder = models.CharField(max_length=200, blank=True)
    metrics = models.JSONField(default=dict, blank=True)
    # For each picture of the grid the training picture nearest to it (its SHA-256), and how near that is.
    nearest = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True
        ordering = ["step"]

    def __str__(self) -> str:
        return f"{getattr(self, self.run_field)} @ {self.step}"

    @property
    def grid_url(self) -> str:
        """The address of its pictures, another one when a resumed training writes the step again."""
        address = reverse(self.grid_view, args=[getattr(self, f"{self.run_field}_id"), self.pk])
        return f"{address}?attempt={self.attempt}"


class StatOfRun(models.Model):
    """A point of a training's curves. Whoever inherits names the field of its training."""

    run_field: ClassVar[str]

    step = models.PositiveIntegerField()
    values = models.JSONField()

    class Meta:
        abstract = True
        ordering = ["step"]

    def __str__(self) -> str:
        return f"{getattr(self, self.run_field)} @ {self.step}"


class DraftOfRun(models.Model):
    """A training that was not started yet: what its owner has chosen so far."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # The fields of the setup form as they were typed; the form judges them again before the start.
    choices = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    objects: ClassVar = OwnedQuerySet.as_manager()

    class Meta:
        abstract = True
        ordering = ["-changed_at"]

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d %H:%M}"
