"""Datasets, their pictures, what arrives for them, and their frozen versions."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.querysets import OwnedQuerySet
from catalog.models import Licence, Source
from jobs.models import Job


class Crop(models.TextChoices):
    """How a picture becomes a square."""

    CENTER = "center", _("Center")
    RANDOM = "random", _("Random")
    LETTERBOX = "letterbox", _("No crop, with borders")
    SQUEEZE = "squeeze", _("No crop, squeezed")


class Purpose(models.TextChoices):
    """What the pictures are to teach: it decides how many are needed, and how they are captioned."""

    EXPERIMENT = "experiment", _("Training experiment")
    CHARACTER = "character", _("Character")
    STYLE = "style", _("Style")
    OBJECT = "object", _("Object")


class People(models.TextChoices):
    """Whether pictures show people, and whether these agreed."""

    UNSAID = "", _("Not said yet")
    NONE = "none", _("No real people are shown")
    CONSENT = "consent", _("Everyone shown has agreed to it")


class Dataset(models.Model):
    """Pictures that belong together, private to their owner."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="datasets")
    name = models.CharField(_("name"), max_length=80)
    # Which drawn family it is a copy of; empty for the owner's own pictures.
    sample_family = models.CharField(max_length=40, blank=True)
    purpose = models.CharField(
        _("purpose"), max_length=20, choices=Purpose.choices, default=Purpose.EXPERIMENT
    )
    # How its pictures are cut, where one has no crop of its own.
    crop = models.CharField(_("crop"), max_length=20, choices=Crop.choices, default=Crop.CENTER)
    # For captions: the word that will stand for what is learned, and what kind of thing that is ("woman").
    keyword = models.CharField(_("keyword"), max_length=40, blank=True)
    subject = models.CharField(_("what it shows"), max_length=60, blank=True)
    source_note = models.TextField(_("source of the pictures"), blank=True)
    licence = models.ForeignKey(Licence, on_delete=models.PROTECT, verbose_name=_("licence"))
    people = models.CharField(
        _("people"), max_length=20, choices=People.choices, blank=True, default=People.UNSAID
    )
    # When source, licence and people were last stated; no training before that.
    rights_stated_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Counted along in the transactions that add and remove pictures, so that no page counts 25,000 rows.
    picture_count = models.PositiveIntegerField(default=0, editable=False)
    size_bytes = models.PositiveBigIntegerField(default=0, editable=False)
    # What the report rests on, counted along likewise.
    tallies = models.JSONField(default=dict, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name


class DatasetImage(models.Model):
    """A checked picture: re-encoded, upright, without metadata."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="images")
    name = models.CharField(max_length=255)
    # Of the bytes that arrived, so that adding a file again is recognised without decoding it; and of the
    # pixels as kept, before they are encoded.
    upload_sha256 = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)
    # Of the bytes as kept, which an export holds: added again they are recognised too. Empty for pictures
    # that came before it was taken.
    kept_sha256 = models.CharField(max_length=64, blank=True, editable=False)
    file = models.CharField(max_length=200)
    thumbnail = models.CharField(max_length=200)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    size_bytes = models.PositiveBigIntegerField()
    caption = models.TextField(blank=True)
    # Over the dataset's crop: another way, or a box drawn by hand, [left, upper, right, lower] in pixels.
    crop = models.CharField(max_length=20, choices=Crop.choices, blank=True)
    box = models.JSONField(null=True, blank=True)
    # Figures of engines.measures, 0 to 1; null for pictures that were added before they were taken.
    blur = models.FloatField(null=True)
    brightness = models.FloatField(null=True)
    contrast = models.FloatField(null=True)
    black_share = models.FloatField(null=True)
    white_share = models.FloatField(null=True)
    # The same for all pictures that are nearly alike, directly or through others; null for one that is alone.
    likeness_group = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        # The newest first: what has just arrived is what one looks for.
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["dataset", "-created_at", "-id"], name="training_image_pages"),
            models.Index(fields=["dataset", "upload_sha256"], name="training_image_arrived"),
            models.Index(fields=["dataset", "kept_sha256"], name="training_image_kept"),
            models.Index(
                fields=["dataset", "likeness_group"],
                condition=Q(likeness_group__isnull=False),
                name="training_image_alike",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["dataset", "sha256"], name="training_image_once_per_dataset")
        ]

    def __str__(self) -> str:
        return self.name


class PicturePrint(models.Model):
    """The 32 x 32 pixels by which nearly equal pictures are found (engines.likeness)."""

    image = models.OneToOneField(
        DatasetImage, on_delete=models.CASCADE, primary_key=True, related_name="print"
    )
    pixels = models.BinaryField()

    def __str__(self) -> str:
        return str(self.image_id)


class Upload(models.Model):
    """A file that arrived (a picture or a ZIP) and the job that checks it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="uploads")
    job = models.OneToOneField(Job, on_delete=models.SET_NULL, null=True, related_name="upload")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.dataset} {self.created_at:%Y-%m-%d %H:%M}"


class UploadedFile(models.Model):
    """One file of an upload and what became of it: a refused one keeps its reason, the others go on."""

    class Status(models.TextChoices):
        """What became of the file."""

        WAITING = "waiting", _("Waiting")
        ACCEPTED = "accepted", _("Added")
        DUPLICATE = "duplicate", _("Already here")
        OPENED = "opened", _("Opened")
        REFUSED = "refused", _("Refused")

    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="files")
    name = models.CharField(max_length=255)
    # The ZIP that it came in and its place there: an attempt that goes on knows which members are done.
    archive = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="members"
    )
    position = models.PositiveIntegerField(default=0)
    # Where the bytes wait until they are checked; empty afterwards, and for members of a ZIP.
    file = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.WAITING)
    reason = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["upload", "status"], name="training_file_status")]
        constraints = [
            models.UniqueConstraint(fields=["archive", "position"], name="training_member_once"),
        ]

    def __str__(self) -> str:
        return self.name


class DatasetVersion(models.Model):
    """A dataset as one training saw it: frozen and fingerprinted. The database refuses every UPDATE of it.

    When the dataset is deleted its pictures go, and the version stays as the record of what was used.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.SET_NULL, null=True, related_name="versions")
    name = models.CharField(max_length=80)
    # SHA-256 over the pictures' contents, crops and captions in order.
    sha256 = models.CharField(max_length=64)
    # Of every picture the SHA-256, stored file, own crop or box and caption, as training reads them in order.
    pictures = models.JSONField()
    # What the dataset's report said when it was frozen.
    report = models.JSONField(default=dict, blank=True)
    count = models.PositiveIntegerField()
    crop = models.CharField(max_length=20, choices=Crop.choices)
    licence = models.ForeignKey(Licence, on_delete=models.PROTECT)
    source = models.OneToOneField(Source, on_delete=models.PROTECT, related_name="dataset_version")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["dataset", "sha256", "licence"], name="training_version_once_per_dataset"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.count})"


class Withdrawal(models.Model):
    """A picture that was taken back from a frozen version: its record stays, the picture goes."""

    version = models.ForeignKey(DatasetVersion, on_delete=models.CASCADE, related_name="withdrawals")
    picture_sha256 = models.CharField(max_length=64)
    # Of the file as it was kept, which an export holds: as a JPEG it no longer has the same pixels.
    kept_sha256 = models.CharField(max_length=64, blank=True, editable=False)
    withdrawn_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    withdrawn_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-withdrawn_at"]
        constraints = [
            models.UniqueConstraint(fields=["version", "picture_sha256"], name="training_withdrawn_once")
        ]

    def __str__(self) -> str:
        return f"{self.version} {self.picture_sha256[:12]}"


class NearestIndex(models.Model):
    """The private file that finds the training picture nearest to an output; only its owner is shown any."""

    version = models.ForeignKey(DatasetVersion, on_delete=models.CASCADE, related_name="nearest_indexes")
    resolution = models.PositiveIntegerField()
    file = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "resolution"], name="training_index_once_per_size")
        ]

    def __str__(self) -> str:
        return f"{self.version} at {self.resolution}"
