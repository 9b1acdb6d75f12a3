"""The light job that checks what arrived: each file gets its verdict, a bad one never holds up the others."""

import hashlib
from collections.abc import Iterator
from typing import IO

from django.core.files.storage import default_storage
from django.db.models import Q
from django.utils.translation import gettext as _

from engines.archives import is_zip
from engines.progress import Control
from jobs.context import JobContext, Outcome
from jobs.exceptions import JobError
from training import files, limits
from training.adding import count_duplicate, dataset_gone, lock_dataset, put_in, store_image
from training.alikes import Alikes
from training.archives import Archive, Member, too_many_bytes
from training.caption_files import is_caption_file
from training.caption_intake import ArchiveCaptions, take_file
from training.exceptions import FileRefused, StorageFull
from training.ingest import CheckedPicture, check_picture
from training.models import Dataset, DatasetImage, Upload, UploadedFile
from training.quotas import judge_storage
from training.withdrawn import is_withdrawn

Status = UploadedFile.Status
_CHUNK = 1 << 20


def run_upload(context: JobContext) -> Outcome:
    """Check every waiting file of the job's upload. A later attempt begins where the last one ended."""
    upload = Upload.objects.select_related("dataset__owner").filter(job_id=context.job_id).first()
    if upload is None:
        raise JobError(dataset_gone())
    intake = Intake(context, upload)
    is_done = intake.run()
    return Outcome(state="succeeded" if is_done else "stopped")


class Intake:
    """One attempt at one upload. Pictures come in one at a time, so memory stays flat."""

    def __init__(self, context: JobContext, upload: Upload) -> None:
        self._context = context
        self._upload = upload
        self._dataset: Dataset = upload.dataset
        self._limits = limits.current()
        self._alikes = Alikes()
        self._room = 0  # bytes that the owner's plan is known to have left
        # What the upload holds, as far as it is known: a ZIP's members count once it has been opened.
        known = upload.files.values_list("status", flat=True)
        self._done = sum(status != Status.WAITING for status in known)
        self._total = len(known)

    def run(self) -> bool:
        """Check all that waits. Return whether it was finished, and not told to stop."""
        waiting = self._upload.files.filter(status=Status.WAITING, archive=None)
        # Captions last: their pictures may have been sent after them.
        for file in sorted(waiting, key=lambda file: is_caption_file(file.name)):
            if self._report() is Control.STOP:
                return False
            if not self._take(file):
                return False
        self._report()
        return True

    def _report(self) -> Control:
        return self._context.report(step=self._done, total=self._total)

    def _take(self, file: UploadedFile) -> bool:
        """Deal with one file. Return False when told to stop inside a ZIP."""
        try:
            with default_storage.open(file.file) as stored:
                if is_zip(stored):
                    return self._open_archive(file, stored)
                if is_caption_file(file.name):
                    reason = take_file(self._dataset, file.name, stored)
                    self._settle(file, Status.REFUSED if reason else Status.OPENED, reason)
                elif stored.size > self._limits.max_picture_bytes:
                    self._settle(file, Status.REFUSED, str(too_many_bytes(self._limits)))
                else:
                    self._judge(file, stored)
        except FileNotFoundError:
            self._settle(file, Status.REFUSED, _("This file did not arrive whole. Add it again."))
        return True

    def _open_archive(self, file: UploadedFile, stored: IO[bytes]) -> bool:
        scratch = str(self._context.workdir)
        try:
            archive = Archive(stored, self._limits)
            captions = ArchiveCaptions(archive, self._dataset, scratch)
        except FileRefused as refusal:
            self._settle(file, Status.REFUSED, str(refusal))
            return True
        done = set(file.members.values_list("position", flat=True))
        left = [member for member in archive.members if member.position not in done]
        self._total += len(left)
        for entry, member in self._members(file, left):
            if self._report() is Control.STOP:
                return False
            try:
                with archive.open(member, scratch) as unpacked:
                    self._judge(entry, unpacked, captions.of(member))
            except FileRefused as refusal:
                self._settle(entry, Status.REFUSED, str(refusal))
        self._take_other_captions(file, archive, captions)
        self._settle(file, Status.OPENED, "")
        return True

    def _take_other_captions(self, file: UploadedFile, archive: Archive, captions: ArchiveCaptions) -> None:
        """Captions of pictures that are not in the ZIP. One row tells of all that were not taken."""
        reason = captions.take_others()
        first = next(iter(archive.caption_members), None)
        if reason and first and not file.members.filter(position=first.position).exists():
            row = UploadedFile(upload=self._upload, archive=file, position=first.position, name=first.name)
            self._settle(row, Status.REFUSED, reason)

    def _members(self, file: UploadedFile, left: list[Member]) -> Iterator[tuple[UploadedFile, Member]]:
        for member in left:
            yield (
                UploadedFile(upload=self._upload, archive=file, position=member.position, name=member.name),
                member,
            )

    def _judge(self, file: UploadedFile, stream: IO[bytes], caption: str = "") -> None:
        arrived = _sha256(stream)
        if self._is_here(caption, Q(upload_sha256=arrived) | Q(kept_sha256=arrived)):
            self._settle(file, Status.DUPLICATE, "")
            return
        try:
            picture = check_picture(stream, self._limits)
        except FileRefused as refusal:
            self._settle(file, Status.REFUSED, str(refusal))
            return
        self._keep(file, picture, arrived, caption)

    def _is_here(self, caption: str, known: Q) -> bool:
        """Whether the dataset has the picture already; the caption that came along with it is taken then."""
        here = self._dataset.images.filter(known)
        return bool(here.update(caption=caption) if caption else here.exists())

    def _keep(self, file: UploadedFile, picture: CheckedPicture, arrived: str, caption: str) -> None:
        """Store a picture, then let the database decide whether it is new and there is room for it."""
        if self._is_here(caption, Q(sha256=picture.sha256)):
            self._settle(file, Status.DUPLICATE, "")
            return
        image = store_image(self._dataset.pk, file.name, arrived, picture)
        image.caption = caption
        is_kept = False
        try:
            is_kept = self._settle(file, Status.ACCEPTED, "", image)
        finally:
            if not is_kept:
                files.remove_files([image.file, image.thumbnail])

    def _settle(
        self, file: UploadedFile, status: Status, reason: str, image: DatasetImage | None = None
    ) -> bool:
        """Write one file's verdict, with its picture. Return whether the picture is in the dataset now."""
        waiting_key = file.file
        with self._context.fenced():
            dataset = lock_dataset(self._dataset.pk)
            file.status, file.reason, file.file = status, reason, ""
            if image is not None:
                file.status, file.reason = self._verdict(dataset, image)
            if file.status == Status.ACCEPTED and image is not None:
                put_in(dataset, [image], self._alikes)
            if file.status == Status.DUPLICATE:
                count_duplicate(dataset)
            file.save()
        self._done += 1
        if waiting_key:
            files.remove_files([waiting_key])
        return file.status == Status.ACCEPTED

    def _verdict(self, dataset: Dataset, image: DatasetImage) -> tuple[Status, str]:
        """The last word, with the dataset's row locked: another upload may have filled it meanwhile."""
        if dataset.images.filter(sha256=image.sha256).exists():
            return Status.DUPLICATE, ""
        if is_withdrawn(dataset, image):
            return Status.REFUSED, _("This picture was withdrawn from this dataset, so it stays out.")
        is_full = (
            dataset.picture_count >= self._limits.max_pictures
            or dataset.size_bytes + image.size_bytes > self._limits.max_dataset_bytes
        )
        if is_full:
            return Status.REFUSED, _("The dataset is full. Remove pictures, or start another dataset.")
        try:
            self._use_room(image.size_bytes)
        except StorageFull as error:
            return Status.REFUSED, str(error)
        return Status.ACCEPTED, ""

    def _use_room(self, size_bytes: int) -> None:
        """Take bytes off the owner's room, which is looked up when it seems used up. Raises StorageFull."""
        if size_bytes > self._room:
            storage = judge_storage(self._dataset.owner, size_bytes)
            self._room = storage.allowed - storage.used
        self._room -= size_bytes


def _sha256(stream: IO[bytes]) -> str:
    digest = hashlib.sha256()
    stream.seek(0)
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
    stream.seek(0)
    return digest.hexdigest()
