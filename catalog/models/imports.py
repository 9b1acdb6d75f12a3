"""Bringing a model made elsewhere: a job reads it, without ever executing what is in it."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.querysets import OwnedQuerySet
from jobs.models import Job

from .licences import Licence
from .pages import CatalogModel


class ModelImport(models.Model):
    """A file that somebody brings. Checked, tried, and then a private model; or refused with the reason."""

    class Kind(models.TextChoices):
        """What the file claims to be; told from its content, not its name."""

        UNKNOWN = "", _("Not looked at yet")
        STYLEGAN = "stylegan", _("StyleGAN2-ADA or StyleGAN3 (.pkl)")
        LORA = "lora", _("LoRA (.safetensors)")
        BASE = "base", _("Diffusers folder (.zip)")
        ONNX = "onnx", _("ONNX with manifest")
        BUNDLE = "bundle", _("Bundle of a studio like this one")

    class Stage(models.TextChoices):
        """How far the look at it came; whether it is still going is its job's state."""

        CHECKING = "checking", _("Checking")
        FOUND = "found", _("Found; waiting for your answer")
        TRYING = "trying", _("Trying it out")
        READY = "ready", _("Ready")
        REFUSED = "refused", _("Refused")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="model_imports"
    )
    job = models.OneToOneField(Job, on_delete=models.RESTRICT, related_name="model_import")
    filename = models.CharField(max_length=200)
    file = models.CharField(max_length=200, blank=True)  # storage key; gone once read or refused
    size_bytes = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=20, choices=Kind.choices, blank=True, default=Kind.UNKNOWN)
    stage = models.CharField(max_length=20, choices=Stage.choices, default=Stage.CHECKING)
    # Family, resolution, parameters, architecture, suggested licence, warnings: what the page shows.
    found = models.JSONField(default=dict)
    refusal = models.TextField(blank=True)
    title = models.CharField(_("title"), max_length=120, blank=True)
    name = models.SlugField(_("name"), max_length=60, blank=True)
    licence = models.ForeignKey(Licence, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    author = models.CharField(_("who made it"), max_length=120, blank=True)
    source_url = models.URLField(_("where it comes from"), blank=True)
    model = models.ForeignKey(
        CatalogModel, on_delete=models.SET_NULL, null=True, blank=True, related_name="imports"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.filename
