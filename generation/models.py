"""A generation is one order of pictures; a picture is one result, kept in the gallery."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models

from accounts.querysets import OwnedQuerySet
from catalog.models import ModelVersion
from jobs.models import Job


class Generation(models.Model):
    """An order of pictures. Its state is its job's."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="generations")
    job = models.OneToOneField(Job, on_delete=models.RESTRICT, related_name="generation")
    # Empty once the model is deleted; the pictures keep what they were made with in their provenance.
    model_version = models.ForeignKey(
        ModelVersion, on_delete=models.SET_NULL, null=True, blank=True, related_name="generations"
    )
    model_title = models.CharField(max_length=120)
    # Everything that made the pictures: seeds, truncation_psi; shown, remixed and written into the files.
    settings = models.JSONField()
    count = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.count} x {self.model_title}"

    @property
    def seeds(self) -> list[int]:
        """The seeds, one for each picture, in order."""
        return list(self.settings["seeds"])

    @property
    def truncation_psi(self) -> float:
        """How far from the average picture: 0 is the average itself, 1 all that the model knows."""
        return float(self.settings["truncation_psi"])


class Picture(models.Model):
    """One picture in somebody's gallery."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="pictures")
    generation = models.ForeignKey(Generation, on_delete=models.CASCADE, related_name="pictures")
    index = models.PositiveIntegerField()
    seed = models.PositiveBigIntegerField()
    file = models.CharField(max_length=200)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    provenance = models.JSONField()
    is_favourite = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["owner", "-created_at", "-id"], name="generation_gallery")]
        constraints = [
            models.UniqueConstraint(fields=["generation", "index"], name="generation_picture_once")
        ]

    def __str__(self) -> str:
        return f"{self.generation.model_title}, seed {self.seed}"
