"""The work of imports, in a light worker. Imports no torch itself: what needs it has a process of its own."""

import io
import logging
import uuid
from functools import partial
from pathlib import Path

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext as _
from PIL import Image

from catalog.exceptions import CatalogError
from catalog.imports import limits
from catalog.imports.found import Found
from catalog.imports.reading import look
from catalog.imports.trying import Tried, check_hashes, try_out
from catalog.model_pictures import new_key
from catalog.models import Attribution, ModelImport, ModelPicture, ModelVersion
from catalog.registry import room_refusal
from catalog.services.imports import import_folder, remove_files
from catalog.services.publish import publish_version
from catalog.signing import write_signed
from catalog.terms import required_attribution
from engines.errors import EngineError
from engines.files import sha256_file
from engines.progress import Control
from engines.provenance import Provenance
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError
from jobs.files import fetch_folder, store_folder

logger = logging.getLogger(__name__)

Stage = ModelImport.Stage
AUTHOR_ROLE = "made the model"


def run_import(context: JobContext) -> Outcome:
    """Look at a brought file, or try out what was found in it and answered: as far as the import has come.

    A later attempt does the same again from the stored file; what an earlier one left is never looked at.
    """
    imported = ModelImport.objects.select_related("owner", "licence").filter(job_id=context.job_id).first()
    if imported is None:
        raise JobError(_("This import was discarded."))
    try:
        return _look(context, imported) if imported.stage == Stage.CHECKING else _try(context, imported)
    except EngineError as error:
        raise JobError(str(error)) from error
    except CatalogError as error:
        raise JobError(str(error.message)) from error


def _look(context: JobContext, imported: ModelImport) -> Outcome:
    allowed = limits.current()
    if context.report(step=0, total=3, message=_("Reading the file")) is Control.STOP:
        return Outcome(state="stopped")
    brought = _fetch(imported, context.workdir / "brought")
    found = look(brought, imported.filename, context.workdir / "kept", allowed)
    if context.report(step=1, total=3, message=_("Keeping what is needed of it")) is Control.STOP:
        return Outcome(state="stopped")
    prefix = f"{import_folder(imported)}/{context.attempt}"
    store_folder(context.workdir / "kept", prefix)
    told = {
        **found.as_json(),
        "sha256": sha256_file(brought),
        "folder": prefix,
        "files": _hashes(context.workdir / "kept"),
    }
    with context.fenced():
        ModelImport.objects.filter(pk=imported.pk).update(
            kind=found.kind, stage=Stage.FOUND, found=told, file=""
        )
        # What was brought goes at once: a pickle is not kept a moment longer than it is needed.
        transaction.on_commit(partial(_remove, imported.file))
    return Outcome()


def _try(context: JobContext, imported: ModelImport) -> Outcome:
    allowed = limits.current()
    if context.report(step=1, total=3, message=_("Loading the model")) is Control.STOP:
        return Outcome(state="stopped")
    folder = context.workdir / "kept"
    fetch_folder(imported.found["folder"], folder)
    check_hashes(imported.found["files"], _hashes(folder))
    tried = try_out(imported, folder, context.workdir, allowed)
    if context.report(step=2, total=3, message=_("Adding it to your models")) is Control.STOP:
        return Outcome(state="stopped")
    refusal = room_refusal(imported.owner, 0)
    if refusal:
        raise JobError(refusal)
    version = _publish(imported, tried)
    with context.fenced():
        _name_author(imported, version)
        _keep_sheet(version, tried.sheet, context.job_id)
        ModelImport.objects.filter(pk=imported.pk).update(stage=Stage.READY, model=version.model)
        transaction.on_commit(partial(remove_files, import_folder(imported)))
    return Outcome()


def _publish(imported: ModelImport, tried: Tried) -> ModelVersion:
    assert imported.licence is not None
    found = Found.from_json(imported.found)
    return publish_version(
        owner=imported.owner,
        folder=tried.folder,
        name=imported.name,
        title=imported.title,
        licence=imported.licence,
        type=found.type,
        parents=tried.parents,
        saved_from=imported.job_id,
        attribution=attribution_of(imported, found),
    )


def attribution_of(imported: ModelImport, found: Found) -> str:
    """Return the line that names the author: title, who, licence and where it comes from."""
    if found.attribution:
        return found.attribution
    licence = imported.licence.spdx_id or imported.licence.name if imported.licence else ""
    line = f"{imported.title} by {imported.author} ({licence})"
    return f"{line}, {imported.source_url}" if imported.source_url else line


def _name_author(imported: ModelImport, version: ModelVersion) -> None:
    if not version.model.attributions.exists():
        Attribution.objects.create(
            model=version.model, name=imported.author, role=AUTHOR_ROLE, link=imported.source_url
        )


def _keep_sheet(version: ModelVersion, sheet: Path | None, run: uuid.UUID) -> None:
    """Make the pictures of the smoke test the first of the model's page."""
    if sheet is None or version.model.pictures.exists():
        return
    encoded = io.BytesIO()
    with Image.open(sheet) as picture:
        width, height = picture.size
        write_signed(picture, encoded, _record(version, run))
    key = default_storage.save(new_key(version.model_id), ContentFile(encoded.getvalue()))
    ModelPicture.objects.create(
        model=version.model,
        file=key,
        caption=_("Made when it was imported, to see that it works."),
        width=width,
        height=height,
    )


def _record(version: ModelVersion, run: uuid.UUID) -> Provenance:
    licence = version.licence_in_force
    return Provenance(
        model=f"{version.model.address} v{version.number}",
        model_sha256=version.weights_sha256,
        version_sha256=version.sha256,
        run=str(run),
        studio=settings.SITE_URL,
        credit="; ".join(required_attribution(version)),
        licence=licence.spdx_id or licence.name,
        licence_url=licence.url,
    )


def _fetch(imported: ModelImport, target: Path) -> Path:
    try:
        with default_storage.open(imported.file) as stored, target.open("wb") as sink:
            for chunk in stored.chunks():
                sink.write(chunk)
    except FileNotFoundError as error:
        raise JobError(_("The file did not arrive whole. Bring it again.")) from error
    return target


def _hashes(folder: Path) -> dict[str, str]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in paths}


def _remove(key: str) -> None:
    try:
        default_storage.delete(key)
    except OSError:
        logger.exception("the brought file %s could not be removed", key)
