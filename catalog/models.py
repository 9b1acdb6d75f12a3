"""What a model is: its page, its immutable versions, its licence, its authors and what it was made from."""

import uuid
from typing import ClassVar, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.querysets import OwnedQuerySet
from engines.manifest import GENERATOR_FILE


class Licence(models.Model):
    """A licence as data, in the terms of SPDX and choosealicense."""

    slug = models.SlugField(primary_key=True, max_length=60)
    spdx_id = models.CharField(max_length=60, blank=True)
    name = models.CharField(max_length=120)
    permissions = models.JSONField(default=list)
    conditions = models.JSONField(default=list)
    limitations = models.JSONField(default=list)
    outputs_commercial = models.BooleanField(default=False)
    derivatives = models.BooleanField(default=False)
    share_alike = models.BooleanField(default=False)
    attribution_required = models.BooleanField(default=False)
    use_restrictions = models.JSONField(default=list)
    summary = models.TextField(blank=True)
    url = models.URLField(blank=True)
    full_text = models.TextField(blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


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


class SourceNotice(models.Model):
    """What whoever uses a source, or anything made from it, should know: a picture was taken back, say."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="notices")
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.text


class Visibility(models.TextChoices):
    """Who finds a model."""

    PRIVATE = "private", _("Private")
    UNLISTED = "unlisted", _("Unlisted")
    PUBLIC = "public", _("Public")


class ModelQuerySet(OwnedQuerySet):
    """Access filters of the catalog."""

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Keep the public models and the user's own."""
        shown = Q(visibility=Visibility.PUBLIC, withdrawn_at__isnull=True)
        return self.filter(shown | Q(owner=user)) if user.is_authenticated else self.filter(shown)


class CatalogModel(models.Model):
    """A model's page. What can be run are its versions."""

    class Type(models.TextChoices):
        """What the model does with its input."""

        EXTRACT = "extract", _("Extract & Identify")
        GENERATE = "generate", _("Generate")
        TRANSFORM = "transform", _("Transform")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # The publisher: the account that added the model, not its author.
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="models")
    name = models.SlugField(_("name"), max_length=60)
    title = models.CharField(_("title"), max_length=120)
    tagline = models.CharField(_("tagline"), max_length=200, blank=True)
    description = models.TextField(_("description"), blank=True)
    type = models.CharField(max_length=20, choices=Type.choices)
    family = models.CharField(max_length=40)
    visibility = models.CharField(max_length=20, choices=Visibility.choices, default=Visibility.PRIVATE)
    training_data = models.TextField(blank=True)
    known_limits = models.TextField(blank=True)
    # A checkpoint that the studio ships as a starting point.
    is_starter = models.BooleanField(default=False)
    # The job that made the model, by its number alone: an experiment is saved once.
    saved_from = models.UUIDField(null=True, blank=True, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar = ModelQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="catalog_model_address_unique")]

    def __str__(self) -> str:
        return self.title

    @property
    def address(self) -> str:
        """What the model is called in a form or on a command line: `owner/name`."""
        return f"{self.owner.handle}/{self.name}"

    def is_visible_to(self, user: User | AnonymousUser) -> bool:
        """Whether `visible_to(user)` would find this model."""
        is_shown = self.visibility == Visibility.PUBLIC and self.withdrawn_at is None
        return is_shown or self.owner_id == user.pk

    @property
    def latest_version(self) -> "ModelVersion | None":
        """The newest version, or None before there is one."""
        return self.versions.order_by("-number").first()


class ModelVersion(models.Model):
    """An immutable, content-addressed version of a model. The database refuses every UPDATE of it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    model = models.ForeignKey(CatalogModel, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    # SHA-256 over the lines that `sha256sum` prints for all files, ordered by path: see catalog.manifests.
    sha256 = models.CharField(max_length=64)
    manifest = models.JSONField()
    resolution = models.PositiveIntegerField(null=True, blank=True)
    parameters = models.PositiveBigIntegerField(null=True, blank=True)
    size_bytes = models.PositiveBigIntegerField()
    licence = models.ForeignKey(Licence, on_delete=models.PROTECT)
    source = models.OneToOneField(Source, on_delete=models.PROTECT, related_name="model_version")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["model", "number"], name="catalog_version_number_unique")
        ]

    def __str__(self) -> str:
        return f"{self.model} v{self.number}"

    @property
    def weights_sha256(self) -> str:
        """The SHA-256 of the file that images are made with: what other tools call the model's hash."""
        return str(self.manifest["files"].get(GENERATOR_FILE, self.sha256))


class ModelFile(models.Model):
    """A file of a version, stored under its own SHA-256."""

    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    size_bytes = models.PositiveBigIntegerField()

    class Meta:
        ordering = ["path"]
        constraints = [models.UniqueConstraint(fields=["version", "path"], name="catalog_file_path_unique")]

    def __str__(self) -> str:
        return self.path


class Attribution(models.Model):
    """A person or an institution behind a model, with what they did."""

    model = models.ForeignKey(CatalogModel, on_delete=models.CASCADE, related_name="attributions")
    name = models.CharField(max_length=120)
    role = models.CharField(max_length=120)
    link = models.URLField(blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.role})"
