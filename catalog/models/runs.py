"""Running a model, or a chain of them, over one or many inputs."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.querysets import OwnedQuerySet
from billing.models import Price
from jobs.models import Job

from .versions import ModelVersion


class ModelRun(models.Model):
    """An order: every item goes through every step. Its job tells its state; what is made is paid for."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="model_runs")
    job = models.OneToOneField(Job, on_delete=models.RESTRICT, related_name="model_run")
    title = models.CharField(max_length=200)  # the model's, or the chain's
    count = models.PositiveIntegerField()
    # What its pictures take in storage; it counts towards the owner's plan.
    size_bytes = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.title


class RunStep(models.Model):
    """A step of an order: one version of a model and what it was set to. Most orders have one."""

    run = models.ForeignKey(ModelRun, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveIntegerField()
    # Empty once the model is deleted.
    version = models.ForeignKey(
        ModelVersion, on_delete=models.SET_NULL, null=True, blank=True, related_name="run_steps"
    )
    model_title = models.CharField(max_length=120)
    version_sha256 = models.CharField(max_length=64)
    settings = models.JSONField(default=dict)  # by the names of the manifest's inputs; files are the items'
    # What an item costs in this step, as it was agreed; empty where nothing is priced.
    price = models.ForeignKey(Price, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["run", "position"], name="catalog_run_step_once")]

    def __str__(self) -> str:
        return f"{self.run}, step {self.position}: {self.model_title}"


class RunItem(models.Model):
    """One input of an order: a file, or what stood in the form where a model takes none."""

    run = models.ForeignKey(ModelRun, on_delete=models.CASCADE, related_name="items")
    position = models.PositiveIntegerField()
    name = models.CharField(max_length=200, blank=True)  # the file's, as it was brought
    file = models.CharField(max_length=200, blank=True)  # storage key
    error = models.TextField(blank=True)  # why this one has no result, for its owner

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["run", "position"], name="catalog_run_item_once")]

    def __str__(self) -> str:
        return self.name or f"{self.run}, item {self.position}"


class RunResult(models.Model):
    """What one step made of one item, by the manifest's output."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    item = models.ForeignKey(RunItem, on_delete=models.CASCADE, related_name="results")
    step = models.ForeignKey(RunStep, on_delete=models.CASCADE, related_name="results")
    output = models.CharField(max_length=60)  # its name in the manifest
    kind = models.CharField(max_length=20)
    value = models.JSONField(null=True, blank=True)  # text, number, vector, labels with scores, boxes
    file = models.CharField(max_length=200, blank=True)  # storage key of a picture
    width = models.PositiveIntegerField(null=True, blank=True)
    height = models.PositiveIntegerField(null=True, blank=True)
    seconds = models.FloatField(null=True, blank=True)  # of the model alone
    device = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["item__position", "step__position", "output"]
        constraints = [
            models.UniqueConstraint(fields=["item", "step", "output"], name="catalog_run_result_once"),
            models.CheckConstraint(
                condition=~Q(file="") | Q(value__isnull=False), name="catalog_run_result_not_empty"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.output} ({self.kind})"

    @property
    def hex(self) -> str:
        """Its number as a part of names in pages."""
        return self.pk.hex


class RunTiming(models.Model):
    """How long one run of a version took on a device: what its page tells as a median."""

    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="timings")
    device = models.CharField(max_length=60)
    seconds = models.FloatField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["version", "device", "-created_at"], name="catalog_timing_newest")]

    def __str__(self) -> str:
        return f"{self.version} on {self.device}: {self.seconds:.2f} s"
