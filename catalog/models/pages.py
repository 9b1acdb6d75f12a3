"""The page of a model, who finds it, and who is named on it."""

import uuid
from typing import TYPE_CHECKING, ClassVar, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.querysets import OwnedQuerySet

if TYPE_CHECKING:
    from .versions import ModelVersion


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

    def reachable_by(self, user: User | AnonymousUser) -> Self:
        """Keep what the user may open who knows the address: the unlisted models, too.

        Staff also reach what they have been asked to make public.
        """
        shown = Q(visibility__in=(Visibility.PUBLIC, Visibility.UNLISTED), withdrawn_at__isnull=True)
        if user.is_authenticated:
            shown |= Q(owner=user)
        if isinstance(user, User) and user.is_staff:
            asked = Q(publication_requests__state="waiting")
            return self.filter(shown | asked).distinct()
        return self.filter(shown)


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
    keywords = ArrayField(
        models.CharField(max_length=40), default=list, blank=True, verbose_name=_("keywords")
    )
    # What the newest version takes and gives, and whether its effective terms let its outputs be sold: what
    # the directory filters by. The version's manifest and lineage say it; publishing copies it here.
    input_kinds = ArrayField(models.CharField(max_length=20), default=list, blank=True, editable=False)
    output_kinds = ArrayField(models.CharField(max_length=20), default=list, blank=True, editable=False)
    outputs_commercial = models.BooleanField(default=False, editable=False)
    training_data = models.TextField(blank=True)
    known_limits = models.TextField(blank=True)
    # A checkpoint that the studio ships as a starting point.
    is_starter = models.BooleanField(default=False)
    # The job that made the model, by its number alone: an experiment is saved once.
    saved_from = models.UUIDField(null=True, blank=True, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawal_reason = models.TextField(blank=True)
    featured_at = models.DateTimeField(_("featured since"), null=True, blank=True)
    # How often something was made with it: counted again every hour (`catalog.services.uses`).
    use_count = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    # The words of the page, its keywords and the names of publisher and authors. The database writes it
    # (migration 0008), whoever changes what it is made of.
    search = SearchVectorField(null=True, editable=False)

    objects: ClassVar = ModelQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("model")
        verbose_name_plural = _("models")
        permissions = [
            ("feature_catalogmodel", "Can feature models"),
            ("withdraw_catalogmodel", "Can withdraw anybody's model"),
        ]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="catalog_model_address_unique")]
        indexes = [
            GinIndex(fields=["search"], name="catalog_model_search"),
            GinIndex(fields=["keywords"], name="catalog_model_keywords"),
            models.Index(fields=["-created_at"], name="catalog_model_newest"),
            models.Index(fields=["-use_count", "-created_at"], name="catalog_model_used"),
            models.Index(
                fields=["-featured_at"],
                condition=Q(featured_at__isnull=False),
                name="catalog_model_featured",
            ),
            # What the directory counts behind its filters is read from here alone: a row of the table with
            # its texts is ten times as long. Twelve keywords of 40 signs fit into an index row.
            models.Index(
                fields=["owner"],
                include=[
                    "visibility",
                    "withdrawn_at",
                    "type",
                    "family",
                    "outputs_commercial",
                    "input_kinds",
                    "output_kinds",
                    "keywords",
                ],
                name="catalog_model_counted",
            ),
        ]

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


class Attribution(models.Model):
    """A person or an institution behind a model, with what they did."""

    model = models.ForeignKey(CatalogModel, on_delete=models.CASCADE, related_name="attributions")
    name = models.CharField(max_length=120)
    role = models.CharField(max_length=120)
    link = models.URLField(blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.role})"


class FormerAddress(models.Model):
    """An address that a model had before it was renamed; it leads to the model until another takes it."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.SlugField(max_length=60)
    model = models.ForeignKey(CatalogModel, on_delete=models.CASCADE, related_name="former_addresses")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="catalog_former_address_unique")
        ]

    def __str__(self) -> str:
        return self.name


class ModelPicture(models.Model):
    """A picture on a model's page, chosen by its publisher."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    model = models.ForeignKey(CatalogModel, on_delete=models.CASCADE, related_name="pictures")
    file = models.CharField(max_length=200)  # storage key
    caption = models.CharField(max_length=200, blank=True)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.caption or self.file
