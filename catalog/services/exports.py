"""Generators as ONNX files: made once for each version, by a job, and kept as long as the version."""

from collections.abc import Collection

from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.models import ModelVersion
from engines.manifest import FAMILIES
from jobs.models import Job
from jobs.services import submit_job

JOB_KIND = "catalog.onnx"
PREFIX = "exports"


def onnx_key(sha256: str) -> str:
    """Return the storage key of the ONNX export of the version with this hash."""
    return f"{PREFIX}/{sha256[:2]}/{sha256}.zip"


def can_export(version: ModelVersion) -> bool:
    """Whether a version is of a family that is exported."""
    return version.manifest.get("family") in FAMILIES


def has_export(version: ModelVersion) -> bool:
    """Whether the export is there to be downloaded."""
    return default_storage.exists(onnx_key(version.sha256))


def export_under_way(version: ModelVersion) -> Job | None:
    """Return the job that makes the export now, whoever asked for it."""
    job: Job | None = Job.objects.active().filter(kind=JOB_KIND, batch_key=version.sha256).first()
    return job


@transaction.atomic
def request_export(*, owner: User, version: ModelVersion) -> Job | None:
    """Have the ONNX export of a version made. Return the job that makes it, None where it is there already.

    Effect: a job, unless one is under way; two who ask at once may start two, of which both write the same.
    It costs nothing.
    """
    if has_export(version):
        return None
    label = _("%(title)s as ONNX") % {"title": version.model.title}
    return export_under_way(version) or submit_job(
        owner=owner, kind=JOB_KIND, label=label, batch_key=version.sha256
    )


def keys_in_use(keys: Collection[str]) -> set[str]:
    """Return those of the keys below `exports/` whose version is still there."""
    hashes = {key: key.rpartition("/")[2].removesuffix(".zip") for key in keys}
    kept = set(ModelVersion.objects.filter(sha256__in=hashes.values()).values_list("sha256", flat=True))
    return {key for key, sha256 in hashes.items() if sha256 in kept}
