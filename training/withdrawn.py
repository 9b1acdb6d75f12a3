"""What withdrawn pictures mean for the trainings that had them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from training.models import DatasetVersion, Withdrawal


def why_ended(version: DatasetVersion) -> str:
    """Say why nothing can be trained on a frozen version any more; "" while it can. One query."""
    if version.dataset_id is None:
        return _(
            "The pictures of this training were deleted, so it cannot go on. Its snapshots can still be saved."
        )
    if version.withdrawals.exists():
        return _(
            "A picture of this training was withdrawn, so it cannot go on. Its snapshots can still be saved; "
            "to train on, continue from one of them with the pictures that are left."
        )
    return ""


def withdrawn_hashes(version_id: UUID) -> set[str]:
    """The SHA-256 of the pictures that were taken back from a frozen version. One query."""
    withdrawn = Withdrawal.objects.filter(version=version_id)
    return set(withdrawn.values_list("picture_sha256", flat=True))


def without_withdrawn(nearest: Sequence[Mapping[str, Any]], hashes: set[str]) -> list[dict[str, Any]]:
    """What `Snapshot.nearest` may keep: the figures stay, the withdrawn pictures' hashes go."""
    return [{**found, "sha256": "" if found["sha256"] in hashes else found["sha256"]} for found in nearest]
