"""Questions about files that were sent: which are here already, and what became of the others."""

import re
from collections.abc import Iterable

from django.db.models import Count, Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from training.models import Dataset, UploadedFile

Status = UploadedFile.Status
_SHA256 = re.compile(r"[0-9a-f]{64}")


def known_files(dataset: Dataset, hashes: Iterable[str]) -> list[str]:
    """Those of the files, by the SHA-256 of their bytes, whose pictures are in the dataset. One query.

    A picture is known by the bytes that arrived, and by those that an export of it holds.
    """
    sought = {sha256 for sha256 in hashes if _SHA256.fullmatch(sha256)}
    found = dataset.images.filter(Q(upload_sha256__in=sought) | Q(kept_sha256__in=sought)).order_by()
    known = {sha256 for pair in found.values_list("upload_sha256", "kept_sha256") for sha256 in pair}
    return sorted(sought & known)


def results_of_files(dataset: Dataset, files: Iterable[int]) -> dict[int, dict[str, str]]:
    """What became of the dataset's files that are settled: `state`, `label` and `reason`. One query.

    Files that still wait, and those of other datasets, are missing.
    """
    settled = (
        UploadedFile.objects.filter(upload__dataset=dataset, pk__in=files)
        .exclude(status=Status.WAITING)
        .annotate(
            added=Count("members", filter=Q(members__status=Status.ACCEPTED)),
            refused=Count("members", filter=Q(members__status=Status.REFUSED)),
        )
    )
    return {
        file.pk: {
            "state": file.status,
            "label": _opened(file.added, file.refused) if file.status == Status.OPENED else _label(file),
            "reason": file.reason,
        }
        for file in settled
    }


def _label(file: UploadedFile) -> str:
    return str(Status(file.status).label)


def _opened(added: int, refused: int) -> str:
    """Of a ZIP, or of a file with captions, which has no members."""
    if not added and not refused:
        return _("Opened")
    sentence = ngettext("%(count)d picture added", "%(count)d pictures added", added) % {"count": added}
    return (
        sentence
        if not refused
        else _("%(sentence)s, %(refused)d refused") % {"sentence": sentence, "refused": refused}
    )
