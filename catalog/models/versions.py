"""What of a model can be run: immutable, content-addressed versions and their files."""

import uuid

from django.db import models
from django.utils.functional import cached_property

from engines.manifest import GENERATOR_FILE

from .licences import Licence
from .lineage import Source
from .pages import CatalogModel


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

    @cached_property
    def licence_in_force(self) -> Licence:
        """What its holder granted last, else the licence that it came with. One query."""
        grant = self.source.grants.select_related("licence").first()
        return grant.licence if grant else self.licence

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
