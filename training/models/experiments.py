"""Experiments and what they leave behind: snapshots, curves, films; and how fast machines train."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.querysets import OwnedQuerySet
from catalog.models import CatalogModel, ModelVersion
from jobs.models import Job, Machine
from training.models.datasets import Dataset, DatasetVersion
from training.models.parts import DraftOfRun, SnapshotOfRun, StatOfRun


class Experiment(models.Model):
    """A training of an unconditional image model. Its state is its job's."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="experiments")
    name = models.CharField(_("name"), max_length=80)
    dataset_version = models.ForeignKey(DatasetVersion, on_delete=models.RESTRICT, related_name="experiments")
    starting_point = models.ForeignKey(
        ModelVersion, on_delete=models.RESTRICT, null=True, blank=True, related_name="experiments"
    )
    # The snapshot that it goes on from, where it does; its model is then the starting point.
    continued_from = models.ForeignKey(
        "Snapshot", on_delete=models.SET_NULL, null=True, blank=True, related_name="continuations"
    )
    preset = models.CharField(max_length=40)
    resolution = models.PositiveIntegerField(default=64)
    mirror = models.BooleanField(_("mirror"), default=True)
    steps = models.PositiveIntegerField(_("steps"))
    seed = models.PositiveIntegerField(_("seed"), default=0)
    # What was chosen over the preset: fields of engines.stylegan.config.TrainConfig.
    settings = models.JSONField(default=dict, blank=True)
    job = models.OneToOneField(Job, on_delete=models.RESTRICT, related_name="experiment")
    saved_model = models.ForeignKey(
        CatalogModel, on_delete=models.SET_NULL, null=True, blank=True, related_name="experiments"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(steps__gte=1, steps__lte=25_000), name="training_steps_in_range"
            )
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Its live page."""
        return reverse("training:experiment_detail", args=[self.pk])


class Snapshot(SnapshotOfRun):
    """A model as it stood at one step, with the pictures of the same 28 seeds."""

    run_field = "experiment"
    grid_view = "training:snapshot_grid"

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="snapshots")
    images_seen = models.PositiveBigIntegerField()

    class Meta(SnapshotOfRun.Meta):
        constraints = [
            models.UniqueConstraint(fields=["experiment", "step"], name="training_snapshot_once_per_step")
        ]


class ExperimentDraft(DraftOfRun):
    """An experiment that was not started yet."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="experiment_drafts"
    )
    # Gone when the dataset goes: the draft then asks for another.
    dataset = models.ForeignKey(
        Dataset, on_delete=models.SET_NULL, null=True, blank=True, related_name="experiment_drafts"
    )
    continued_from = models.ForeignKey(
        Snapshot, on_delete=models.SET_NULL, null=True, blank=True, related_name="drafts"
    )


class TrainingStat(StatOfRun):
    """A point of the loss curves."""

    run_field = "experiment"

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="stats")

    class Meta(StatOfRun.Meta):
        constraints = [
            models.UniqueConstraint(fields=["experiment", "step"], name="training_stat_once_per_step")
        ]


class Film(models.Model):
    """The progress video of an experiment, and the job that makes it."""

    experiment = models.OneToOneField(Experiment, on_delete=models.CASCADE, related_name="film")
    job = models.OneToOneField(Job, on_delete=models.RESTRICT, related_name="film")
    # Empty until it is made; then its storage key, and the step of the last snapshot in it.
    file = models.CharField(max_length=200, blank=True)
    last_step = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.experiment}, {self.last_step}"


class TrainingSpeed(models.Model):
    """How fast a machine trains with a preset: measured by a short probe, refined by what trainings took."""

    machine = models.ForeignKey(Machine, on_delete=models.CASCADE, related_name="training_speeds")
    device = models.CharField(max_length=120)
    preset = models.CharField(max_length=40)
    threads = models.PositiveIntegerField()
    # Until the first step, for each step, each snapshot, and each picture that is prepared.
    start_seconds = models.FloatField()
    step_seconds = models.FloatField()
    snapshot_seconds = models.FloatField()
    picture_seconds = models.FloatField()
    measured_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["machine", "device", "preset", "threads"], name="training_speed_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.machine} {self.preset}: {self.step_seconds:.3f} s"
