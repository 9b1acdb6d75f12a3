"""Going about in the latent space of a model: looks, saved points, walks, projections, names of directions.

Points and maps are plain values (`engines.stylegan.points`); what is looked at is a version of a model, or
a snapshot of a training (`catalog.generators`).
"""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.querysets import OwnedQuerySet
from catalog.models import ModelVersion
from jobs.models import Job


class Look(models.Model):
    """Pictures that a page wants to show now: tiles of a map, points, steps of a walk. They cost nothing.

    Whoever looks on replaces what is still wanted. The row goes, and its job with it, once nothing is wanted
    any more; it stays for a while where the pictures could not be made, to say why.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="looks")
    job = models.OneToOneField(Job, on_delete=models.RESTRICT, related_name="look")
    # What the page is that looks: of each there is one for a person.
    slot = models.CharField(max_length=60)
    # What to make, the first first: `generation.explore.wanted` writes and reads it.
    wanted = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "slot"], name="generation_one_look_for_a_slot")
        ]

    def __str__(self) -> str:
        return self.slot


class LookPicture(models.Model):
    """A picture in the cache of looks (`generation.explore.cache`); what was not used for long gives way."""

    # The SHA-256 of all that decides the picture, and of the generator that made it.
    key = models.CharField(max_length=64, primary_key=True)
    sha256 = models.CharField(max_length=64)
    # A network with that generator, "version:<uuid>" or "snapshot:<uuid>": with it the picture goes.
    network = models.CharField(max_length=60)
    size_bytes = models.PositiveIntegerField()
    used_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["used_at"], name="generation_look_used"),
            models.Index(fields=["network"], name="generation_look_network"),
        ]

    def __str__(self) -> str:
        return self.key


class SavedPoint(models.Model):
    """A point that somebody keeps in the tray of a model, or of a training that is no model yet."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="points")
    # Where it was found. It is offered for the relatives of that version as well, as far as it fits them.
    version = models.ForeignKey(
        ModelVersion, on_delete=models.CASCADE, null=True, blank=True, related_name="points"
    )
    # Where that was a snapshot: its network's key, and the training that the model is known by which is saved
    # from it (`CatalogModel.saved_from`).
    network = models.CharField(max_length=60, blank=True)
    training = models.UUIDField(null=True, blank=True)
    title = models.CharField(_("name"), max_length=80)
    # A value of `engines.stylegan.points.parse_point`.
    point = models.JSONField()
    # Whoever has its address may open it, where they may see the model.
    is_shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["owner", "version", "-created_at"], name="generation_tray")]
        constraints = [
            models.CheckConstraint(
                condition=Q(version__isnull=False) | (Q(training__isnull=False) & ~Q(network="")),
                name="generation_point_found_somewhere",
            )
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """Its page."""
        return reverse("generation:point_detail", args=[self.pk])


class DirectionName(models.Model):
    """What the owner of a model calls one of its principal directions."""

    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="direction_names")
    number = models.PositiveSmallIntegerField()
    name = models.CharField(_("name"), max_length=60)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["version", "number"], name="generation_direction_named_once")
        ]

    def __str__(self) -> str:
        return self.name


class Walk(models.Model):
    """A film of the way from point to point. Its state is its job's."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="walks")
    job = models.OneToOneField(Job, on_delete=models.RESTRICT, related_name="walk")
    # Empty once the model is deleted; the film stays.
    version = models.ForeignKey(
        ModelVersion, on_delete=models.SET_NULL, null=True, blank=True, related_name="walks"
    )
    model_title = models.CharField(max_length=120)
    title = models.CharField(_("name"), max_length=80)
    # The points and all that decides the frames: fields of `engines.stylegan.walk.Walk`, points as JSON.
    settings = models.JSONField()
    # What is written: a film, an animation, or PNG files.
    format = models.CharField(max_length=10)
    # Empty until it is made; then the storage key of the film, its size, and of a picture that stands for it.
    file = models.CharField(max_length=200, blank=True)
    size_bytes = models.PositiveBigIntegerField(default=0)
    poster = models.CharField(max_length=200, blank=True)
    is_shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(format__in=["mp4", "gif", "zip"]), name="generation_walk_format_known"
            )
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """Its page."""
        return reverse("generation:walk_detail", args=[self.pk])


class Projection(models.Model):
    """The search for the point whose picture is most like a given one. Its state is its job's."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="projections")
    job = models.OneToOneField(Job, on_delete=models.RESTRICT, related_name="projection")
    version = models.ForeignKey(
        ModelVersion, on_delete=models.SET_NULL, null=True, blank=True, related_name="projections"
    )
    model_title = models.CharField(max_length=120)
    title = models.CharField(_("name"), max_length=80)
    # Storage keys: the square that is searched for, and how near the search stands.
    target = models.CharField(max_length=200)
    picture = models.CharField(max_length=200, blank=True)
    # The folder in storage where an attempt saved itself, to go on from.
    state_file = models.CharField(max_length=200, blank=True)
    # Fields of `engines.stylegan.projecting.ProjectConfig`.
    settings = models.JSONField()
    # The pictures on the way: [{"step", "file", "distance"}], the oldest first.
    steps = models.JSONField(default=list, blank=True)
    # Of all that is stored of it.
    size_bytes = models.PositiveBigIntegerField(default=0)
    # How near it came, and what to compare that with, by name: {"distance", "grey_levels"}.
    figures = models.JSONField(default=dict, blank=True)
    # What was found, pinned; the owner may have deleted it since.
    found = models.ForeignKey(
        SavedPoint, on_delete=models.SET_NULL, null=True, blank=True, related_name="projections"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """Its page."""
        return reverse("generation:projection_detail", args=[self.pk])

    @property
    def last_step(self) -> int:
        """The step of its newest picture; 0 before there is any."""
        return int(self.steps[-1]["step"]) if self.steps else 0


class Memorisation(models.Model):
    """How much of its training pictures a version repeats, as last measured; and the job that measures it."""

    version = models.OneToOneField(ModelVersion, on_delete=models.CASCADE, related_name="memorisation")
    job = models.OneToOneField(Job, on_delete=models.RESTRICT, related_name="memorisation")
    # Empty until it is measured: what `engines.metrics.memorisation` tells, with floor and sample count.
    figures = models.JSONField(default=dict, blank=True)
    measured_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.version}"
