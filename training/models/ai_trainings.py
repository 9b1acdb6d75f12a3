"""AI trainings (LoRAs on a text-to-image base) and what they leave behind."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.querysets import OwnedQuerySet
from catalog.models import CatalogModel, ModelVersion
from jobs.models import Job
from training.models.datasets import Dataset, DatasetVersion, Purpose
from training.models.parts import DraftOfRun, SnapshotOfRun, StatOfRun


class AITraining(models.Model):
    """A training of a character, a style or an object on a base model. Its state is its job's."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="ai_trainings")
    name = models.CharField(_("name"), max_length=80)
    purpose = models.CharField(_("type"), max_length=20, choices=Purpose.choices)
    # What prompts call it, and what kind of thing it is ("woman", "mug", "drawing").
    keyword = models.CharField(_("keyword"), max_length=40)
    subject = models.CharField(_("what it shows"), max_length=60)
    dataset_version = models.ForeignKey(
        DatasetVersion, on_delete=models.RESTRICT, related_name="ai_trainings"
    )
    base = models.ForeignKey(ModelVersion, on_delete=models.RESTRICT, related_name="ai_trainings")
    steps = models.PositiveIntegerField(_("steps"))
    seed = models.PositiveIntegerField(_("seed"), default=0)
    # The prompts whose pictures show with every snapshot what has been learned, keyword filled in.
    sample_prompts = models.JSONField(default=list)
    # What was chosen over the preset: fields of engines.diffusion.config.TrainConfig.
    settings = models.JSONField(default=dict, blank=True)
    job = models.OneToOneField(Job, on_delete=models.RESTRICT, related_name="ai_training")
    saved_model = models.ForeignKey(
        CatalogModel, on_delete=models.SET_NULL, null=True, blank=True, related_name="ai_trainings"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint("owner", Lower("keyword"), name="training_keyword_once_per_account"),
            models.CheckConstraint(condition=~Q(purpose=Purpose.EXPERIMENT), name="training_ai_purpose"),
            models.CheckConstraint(
                condition=Q(steps__gte=1, steps__lte=20_000), name="training_ai_steps_in_range"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Its live page."""
        return reverse("training:ai_training_detail", args=[self.pk])


class AISnapshot(SnapshotOfRun):
    """A LoRA as it stood at one step, with a picture for each of the training's sample prompts."""

    run_field = "training"
    grid_view = "training:ai_snapshot_grid"

    training = models.ForeignKey(AITraining, on_delete=models.CASCADE, related_name="snapshots")

    class Meta(SnapshotOfRun.Meta):
        constraints = [
            models.UniqueConstraint(fields=["training", "step"], name="training_ai_snapshot_once_per_step")
        ]


class AITrainingDraft(DraftOfRun):
    """An AI training that was not started yet."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="ai_training_drafts"
    )
    # Gone when the dataset goes: the draft then asks for another.
    dataset = models.ForeignKey(
        Dataset, on_delete=models.SET_NULL, null=True, blank=True, related_name="ai_training_drafts"
    )


class AITrainingStat(StatOfRun):
    """A point of an AI training's loss curve."""

    run_field = "training"

    training = models.ForeignKey(AITraining, on_delete=models.CASCADE, related_name="stats")

    class Meta(StatOfRun.Meta):
        constraints = [
            models.UniqueConstraint(fields=["training", "step"], name="training_ai_stat_once_per_step")
        ]


class KeywordMeaning(models.Model):
    """How much a base already means by a name (`engines.diffusion.keywords`): measured once, by a job.

    `distance` and `tokens` are null until the job has told them.
    """

    base = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="keyword_meanings")
    keyword = models.CharField(max_length=40)
    distance = models.FloatField(null=True)
    tokens = models.PositiveIntegerField(null=True)
    job = models.OneToOneField(Job, on_delete=models.SET_NULL, null=True, related_name="keyword_meaning")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["base", "keyword"], name="training_meaning_once_per_base")
        ]

    def __str__(self) -> str:
        return self.keyword
