"""Files that arrive for a dataset."""

from collections.abc import Iterable

from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext as _

from jobs.models import Job, State
from jobs.services import submit_job
from training import files, limits
from training.exceptions import DatasetFull
from training.kinds import UPLOAD
from training.models import Dataset, Upload, UploadedFile
from training.names import clean_name
from training.quotas import judge_storage


def add_files(*, dataset: Dataset, arrived: Iterable[File[bytes]]) -> list[UploadedFile]:
    """Keep files that arrived, pictures or ZIPs, until a light job has checked them. Return their rows.

    Effect: stores the bytes, then inserts their rows and a job in one transaction. Files that come while an
    earlier upload still waits join its job, so that a thousand files sent one by one do not make a thousand
    jobs.
    Raises DatasetFull when the dataset, or its owner's plan, can take no more; nothing is kept then, and what
    came before stays.
    """
    arrived = list(arrived)
    judge_room(dataset, sum(file.size for file in arrived))
    stored: list[tuple[str, str]] = []
    try:
        for file in arrived:
            # One by one: when a file fails, those before it have to be removed.
            stored.append((clean_name(file.name or ""), _store(dataset, file)))  # noqa: PERF401
        with transaction.atomic():
            return _insert(dataset, stored)
    except BaseException:
        files.remove_files(key for _name, key in stored)
        raise


def judge_room(dataset: Dataset, extra_bytes: int = 0) -> None:
    """Raise DatasetFull when the dataset can take no more pictures, or its owner's plan no more bytes."""
    allowed = limits.current()
    if dataset.picture_count >= allowed.max_pictures:
        raise DatasetFull(
            _("This dataset is full: it has %(count)s pictures. Remove some, or start another dataset.")
            % {"count": f"{dataset.picture_count:,}"}
        )
    if dataset.size_bytes >= allowed.max_dataset_bytes:
        raise DatasetFull(
            _("This dataset is full: it holds %(size)d GB. Remove some pictures, or start another dataset.")
            % {"size": dataset.size_bytes >> 30}
        )
    judge_storage(dataset.owner, extra_bytes)


def note_upload_end(job: Job) -> None:
    """When checking ended early, say so at each file that still waits. Runs in the ending transaction."""
    if job.state == State.SUCCEEDED:
        return
    waiting = UploadedFile.objects.filter(upload__job=job, status=UploadedFile.Status.WAITING)
    reason = _("This file was not checked. Add it again.")
    waiting.update(status=UploadedFile.Status.REFUSED, reason=reason)


def _store(dataset: Dataset, file: File[bytes]) -> str:
    return str(default_storage.save(files.incoming_key(dataset.pk), file))


def _insert(dataset: Dataset, stored: list[tuple[str, str]]) -> list[UploadedFile]:
    upload = _waiting_upload(dataset)
    if upload is None:
        label = _("Checking files for %(name)s") % {"name": dataset.name}
        job = submit_job(owner=dataset.owner, kind=UPLOAD.name, label=label)
        upload = Upload.objects.create(dataset=dataset, job=job)
    return UploadedFile.objects.bulk_create(
        UploadedFile(upload=upload, name=name, file=key) for name, key in stored
    )


def _waiting_upload(dataset: Dataset) -> Upload | None:
    """An upload whose job no worker has taken; its row stays locked, so that none takes it meanwhile."""
    job = (
        Job.objects.select_for_update(of=("self",), skip_locked=True)
        .filter(kind=UPLOAD.name, state=State.QUEUED, upload__dataset=dataset)
        .first()
    )
    return None if job is None else Upload.objects.get(job=job)
