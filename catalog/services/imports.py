"""Importing models: a file comes in, is looked at, its owner answers, it is tried out and becomes a model."""

import logging
import uuid
from collections.abc import Collection
from datetime import datetime, timedelta
from functools import partial

from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from catalog.exceptions import ImportRefusedError
from catalog.imports import limits
from catalog.models import CatalogModel, Licence, ModelImport, ModelVersion
from catalog.registry import room_refusal
from catalog.services.names import check_name_free
from jobs.files import delete_folder
from jobs.models import Job, State
from jobs.services import stop_job, submit_job

logger = logging.getLogger(__name__)

JOB_KIND = "catalog.import"
PREFIX = "imports"
Stage = ModelImport.Stage
# Stages in which an import still takes a place and storage.
OPEN_STAGES = (Stage.CHECKING, Stage.FOUND, Stage.TRYING)


def import_folder(imported: ModelImport) -> str:
    """Return the folder of the storage in which everything of an import lies until it has ended."""
    return f"{PREFIX}/{imported.pk}"


def waits_until(imported: ModelImport) -> datetime:
    """Return until when what was found waits for its owner's answer; then its files go."""
    return imported.created_at + timedelta(days=limits.current().answer_days)


def open_imports() -> QuerySet[ModelImport]:
    """The imports that are under way, or wait for an answer and have not waited too long."""
    since = timezone.now() - timedelta(days=limits.current().answer_days)
    waits = Q(stage=Stage.FOUND, created_at__gt=since)
    found: QuerySet[ModelImport] = ModelImport.objects.filter(
        waits | Q(stage__in=(Stage.CHECKING, Stage.TRYING))
    )
    return found


def start_import(*, owner: User, arrived: File[bytes]) -> ModelImport:
    """Keep a file that arrived and have it looked at.

    Effect: stores the bytes, then inserts the import and its job in one transaction. Raises
    ImportRefusedError when the owner has too many imports open, or their plan no room for it; nothing is kept
    then.
    """
    refusal = room_refusal(owner, arrived.size)
    if refusal:
        raise ImportRefusedError(refusal)
    key = default_storage.save(f"{PREFIX}/{uuid.uuid4()}/brought", arrived)
    try:
        return _insert(owner, _clean_name(arrived.name or ""), key, arrived.size)
    except BaseException:
        default_storage.delete(key)
        raise


@transaction.atomic
def _insert(owner: User, filename: str, key: str, size_bytes: int) -> ModelImport:
    # Two uploads at once are counted one after the other. Not a full lock: rows that name the user may come.
    User.objects.select_for_update(no_key=True).get(pk=owner.pk)
    most = limits.current().max_open
    if open_imports().filter(owner=owner).count() >= most:
        sentence = ngettext(
            "You have %(count)d import open. Answer it or discard it, then bring the next file.",
            "You have %(count)d imports open. Answer or discard one, then bring the next file.",
            most,
        )
        raise ImportRefusedError(sentence % {"count": most})
    job = submit_job(owner=owner, kind=JOB_KIND, label=_("Looking at %(name)s") % {"name": filename})
    return ModelImport.objects.create(
        pk=uuid.UUID(key.split("/")[1]),
        owner=owner,
        job=job,
        filename=filename,
        file=key,
        size_bytes=size_bytes,
    )


def _clean_name(name: str) -> str:
    """A file's name as it is shown: its last part, without what cannot be shown, not endless."""
    last = name.replace("\\", "/").rpartition("/")[2]
    shown = "".join(sign for sign in last if sign.isprintable()).strip()
    return shown[-120:] or _("without a name")


@transaction.atomic
def answer_import(
    *,
    imported: ModelImport,
    title: str,
    name: str,
    author: str,
    source_url: str,
    licence: Licence,
    keyword: str = "",
    base: ModelVersion | None = None,
) -> ModelImport:
    """Take what the owner says of a found model and have it tried out. Return the import as it stands now.

    Effect: the row and a new job, in one transaction. Raises ImportRefusedError when the import does not wait
    for an answer, NameTakenError when the owner has a model of this name.
    """
    row: ModelImport = ModelImport.objects.select_for_update().get(pk=imported.pk)
    if row.stage != Stage.FOUND:
        raise ImportRefusedError(_("This import has been answered already. Reload the page to see it."))
    if waits_until(row) < timezone.now():
        raise ImportRefusedError(_("This waited too long and its files are gone. Bring the file again."))
    check_name_free(owner=row.owner, name=name)
    row.title, row.name, row.author, row.source_url, row.licence = title, name, author, source_url, licence
    row.found = {**row.found, "keyword": keyword, "base": str(base.pk) if base else ""}
    row.stage = Stage.TRYING
    row.job = submit_job(owner=row.owner, kind=JOB_KIND, label=_("Trying out %(name)s") % {"name": title})
    row.save()
    return row


@transaction.atomic
def discard_import(*, imported: ModelImport) -> None:
    """Drop an import: what waits or runs is stopped, what waits for an answer forgotten.

    Effect: one transaction; the stored files go after it is committed. An import that has ended loses its
    row; the model that came of it stays.
    """
    row = ModelImport.objects.select_for_update().select_related("job").get(pk=imported.pk)
    if row.job.is_active:
        stop_job(job=row.job)  # its end is noted below, by whoever ends it
        return
    transaction.on_commit(partial(remove_files, import_folder(row)))
    row.delete()


def note_import_end(job: Job) -> None:
    """Close the import of a job that ended without success. Runs in the ending transaction."""
    row = ModelImport.objects.filter(job=job, stage__in=OPEN_STAGES).first()
    if row is None or job.state == State.SUCCEEDED:
        return
    made = CatalogModel.objects.filter(saved_from=job.pk).first()
    if made is not None:  # its worker died between making the model and saying so
        row.model, row.stage = made, Stage.READY
    else:
        row.stage = Stage.REFUSED
        row.refusal = job.error or _("This import was stopped. Bring the file again if you want it.")
    row.file = ""
    row.save(update_fields=["model", "stage", "refusal", "file"])
    transaction.on_commit(partial(remove_files, import_folder(row)))


def remove_files(folder: str) -> None:
    """Remove an import's stored files; what cannot be removed now goes with the daily sweep."""
    try:
        delete_folder(folder)
    except OSError:
        logger.exception("files below %s could not be removed", folder)


def keys_in_use(keys: Collection[str]) -> set[str]:
    """Return those of the keys below `imports/` that belong to an import that is open."""
    numbers = {key.split("/")[1] for key in keys if key.count("/") >= 2}
    valid = {number for number in numbers if _is_uuid(number)}
    kept = {str(pk) for pk in open_imports().filter(pk__in=valid).values_list("pk", flat=True)}
    return {key for key in keys if key.split("/")[1] in kept}


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
