"""One model out of two."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.querysets import OwnedQuerySet
from jobs.models import Job

from .pages import CatalogModel
from .versions import ModelVersion


class ModelMix(models.Model):
    """Two versions and how they are mixed: looked at first, for nothing, then perhaps made into a model."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mixes")
    first = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="+")
    second = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="+")
    # Fields of `engines.stylegan.relatives.MixConfig`.
    config = models.JSONField()
    # The job that makes the pictures of the preview, and the storage key of their sheet.
    preview_job = models.OneToOneField(Job, on_delete=models.RESTRICT, related_name="mix_preview")
    preview = models.CharField(max_length=200, blank=True)
    # What the model is to be called, the job that makes it once its owner has asked for it, and the model,
    # until it is deleted.
    title = models.CharField(_("name"), max_length=120, blank=True)
    job = models.OneToOneField(Job, on_delete=models.RESTRICT, null=True, blank=True, related_name="mix")
    model = models.ForeignKey(
        CatalogModel, on_delete=models.SET_NULL, null=True, blank=True, related_name="mixes"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(condition=~Q(first=models.F("second")), name="catalog_mix_of_two")
        ]

    def __str__(self) -> str:
        return f"{self.first} and {self.second}"

    def get_absolute_url(self) -> str:
        """Its page."""
        return reverse("catalog:mix_detail", args=[self.pk])
