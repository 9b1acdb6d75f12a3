"""What was made from what."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .licences import Licence


class Source(models.Model):
    """A node of the lineage: anything that something was made from (a model version, a dataset version)."""

    class Kind(models.TextChoices):
        """What the node stands for."""

        MODEL = "model", _("Model version")
        DATASET = "dataset", _("Dataset version")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    label = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    licence = models.ForeignKey(Licence, on_delete=models.PROTECT)
    attribution = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    parents = models.ManyToManyField(
        "self",
        through="Derivation",
        through_fields=("child", "parent"),
        symmetrical=False,
        related_name="children",
    )

    def __str__(self) -> str:
        return self.label


class Derivation(models.Model):
    """An edge of the lineage: the child was made from the parent, in this role."""

    class Role(models.TextChoices):
        """How the parent was used."""

        STARTING_POINT = "starting_point", _("Starting point")
        DATASET = "dataset", _("Dataset")
        MIX_PARENT = "mix_parent", _("Parent of a mix")
        BASE = "base", _("Base model")

    child = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="derived_from")
    parent = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="made_into")
    role = models.CharField(max_length=20, choices=Role.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["child", "parent", "role"], name="catalog_derivation_unique"),
            models.CheckConstraint(
                condition=~Q(child=models.F("parent")), name="catalog_derivation_not_self"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.child} from {self.parent} ({self.role})"


class LicenceGrant(models.Model):
    """The holder of a source lets others have it under this licence; the newest one holds.

    A source itself never changes: it keeps the licence that it came with.
    """

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="grants")
    licence = models.ForeignKey(Licence, on_delete=models.PROTECT, related_name="+")
    granted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-granted_at"]

    def __str__(self) -> str:
        return f"{self.source} under {self.licence}"


class SourceNotice(models.Model):
    """What whoever uses a source, or anything made from it, should know: a picture was taken back, say."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="notices")
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.text
