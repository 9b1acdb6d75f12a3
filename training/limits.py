"""The limits of uploads and trainings. Each is a setting; what stands here is its default."""

from dataclasses import dataclass, fields

from django.conf import settings

from catalog.pictures import PictureLimits


@dataclass(frozen=True, kw_only=True)
class Limits(PictureLimits):
    """An operator overrides single limits with `TRAINING_LIMITS = {"max_pixels": ...}` in the settings."""

    max_upload_bytes: int = 5 << 30  # of one request, and of a ZIP with what it unpacks to
    max_pictures: int = 25_000  # of a dataset, and of the entries of a ZIP
    max_dataset_bytes: int = 5 << 30


def current() -> Limits:
    """The limits in force. Raises TypeError for a limit that does not exist."""
    overrides = getattr(settings, "TRAINING_LIMITS", {})
    unknown = set(overrides) - {field.name for field in fields(Limits)}
    if unknown:
        raise TypeError(f"TRAINING_LIMITS names unknown limits: {', '.join(sorted(unknown))}.")
    return Limits(**overrides)
