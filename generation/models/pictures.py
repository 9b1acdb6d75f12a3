"""A generation is one order of pictures; a picture is one result, kept in the gallery."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from accounts.querysets import OwnedQuerySet
from catalog.models import ModelVersion
from jobs.models import Job

_TITLE_LENGTH = 70


class Generation(models.Model):
    """An order of pictures. Its state is its job's."""

    class Kind(models.TextChoices):
        """How the pictures are made."""

        SEEDS = "seeds", _("From seeds")
        POINT = "point", _("From a point")
        TEXT = "text", _("Text to Image")
        IMAGE = "image", _("Image to image")
        INPAINT = "inpaint", _("Inside a mask")
        UPSCALE = "upscale", _("Upscaled")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="generations")
    job = models.OneToOneField(Job, on_delete=models.RESTRICT, related_name="generation")
    # Empty once the model is deleted; the pictures keep what they were made with in their provenance.
    model_version = models.ForeignKey(
        ModelVersion, on_delete=models.SET_NULL, null=True, blank=True, related_name="generations"
    )
    model_title = models.CharField(max_length=120)
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.SEEDS)
    # Everything that made the pictures, by kind: seeds and truncation_psi; or seeds, prompt, negative_prompt,
    # width, height, steps, guidance, style, adapter_strength, strength. Shown, remixed, written into files.
    settings = models.JSONField()
    # What the gallery is searched by.
    prompt = models.TextField(blank=True)
    # The one trained model (a LoRA on `model_version`) that was used, where one was.
    adapter = models.ForeignKey(
        ModelVersion, on_delete=models.SET_NULL, null=True, blank=True, related_name="adapted_generations"
    )
    adapter_title = models.CharField(max_length=120, blank=True)
    # The picture that this went on from, and the storage keys of the pixels it started from and of the mask.
    source_picture = models.ForeignKey(
        "Picture", on_delete=models.SET_NULL, null=True, blank=True, related_name="derived"
    )
    source_file = models.CharField(max_length=200, blank=True)
    mask_file = models.CharField(max_length=200, blank=True)
    count = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.count} x {self.model_title}"

    @property
    def is_from_text(self) -> bool:
        """Whether a prompt made the pictures, and not seeds alone."""
        return self.kind not in (self.Kind.SEEDS, self.Kind.POINT)

    @property
    def made_with(self) -> str:
        """What people say made the pictures: the trained model, else the model itself."""
        return self.adapter_title or self.model_title

    @property
    def refused(self) -> list[int]:
        """Which pictures, counted from 0, the installation's content checker refused."""
        return list(self.settings.get("refused", ()))

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
        prompt = Truncator(self.generation.prompt).chars(_TITLE_LENGTH)
        return f"{prompt or self.generation.made_with}, seed {self.seed}"
