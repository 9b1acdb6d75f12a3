"""Making ONNX exports, in a light worker; torch has a process of its own."""

import zipfile
from pathlib import Path

from django.utils.translation import gettext as _

from catalog.bundles import bundle_of
from catalog.exceptions import BrokenModelError
from catalog.files import materialise
from catalog.imports import limits
from catalog.models import ModelVersion
from catalog.services.exports import onnx_key
from engines.bundles import ATTRIBUTION_FILE, LICENCE_FILE
from engines.errors import EngineError
from engines.isolation import call_isolated
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError
from jobs.files import store_file


def export_onnx(context: JobContext) -> Outcome:
    """Export the version whose hash the job names, compare it with the original, and store it as a ZIP."""
    versions = ModelVersion.objects.select_related("model__owner", "licence", "source")
    version = versions.filter(sha256=context.job.batch_key).first()
    if version is None:
        raise JobError(_("The model was deleted before its ONNX file was made."))
    try:
        arguments = {"source": str(materialise(version)), "target": str(context.workdir / "onnx")}
        call_isolated(
            "engines.stylegan.export.export_for_host",
            arguments,
            workdir=context.workdir,
            confinement=limits.current().confinement(),
        )
    except EngineError as error:
        raise JobError(str(error)) from error
    except BrokenModelError as error:
        raise JobError(str(error.message)) from error
    with context.fenced():
        store_file(_packed(version, context.workdir), onnx_key(version.sha256))
    return Outcome()


def _packed(version: ModelVersion, work: Path) -> Path:
    """A ZIP that can be imported again, with the texts that go along with the weights."""
    packed = work / "export.zip"
    texts = bundle_of(version).texts
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((work / "onnx").iterdir()):
            archive.write(path, path.name)
        for name in (LICENCE_FILE, ATTRIBUTION_FILE):
            archive.writestr(name, texts[name])
    return packed
