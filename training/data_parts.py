"""What the page of a model tells of the pictures that it was trained on."""

from typing import Any

from django.contrib.auth.models import AnonymousUser

from accounts.models import User
from catalog.models import Derivation, ModelVersion
from training import reports
from training.models import DatasetVersion


def tell_training_data(version: ModelVersion, _viewer: User | AnonymousUser) -> dict[str, Any] | None:
    """Return the reports frozen with the datasets of a version; None where there are none. One query.

    They tell figures alone, no names and no pictures, so whoever sees the model may see them.
    """
    used = DatasetVersion.objects.filter(
        source__made_into__child=version.source_id, source__made_into__role=Derivation.Role.DATASET
    )
    thawed = [reports.thaw(report) for report in used.values_list("report", flat=True)]
    found = [report for report in thawed if report is not None]
    return {"reports": found} if found else None
