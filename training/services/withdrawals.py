"""Taking a picture back: out of datasets, frozen versions and all that was worked out of them."""

import hashlib
import logging
import shutil
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.models import SourceNotice
from jobs.models import ACTIVE_STATES, Job
from jobs.services import stop_job
from training import files
from training.models import (
    RUN_MODELS,
    AISnapshot,
    Dataset,
    DatasetImage,
    DatasetVersion,
    NearestIndex,
    Snapshot,
    Withdrawal,
)
from training.services.pictures import take_out
from training.uses import find_picture, versions_with
from training.withdrawn import without_withdrawn

logger = logging.getLogger(__name__)


@transaction.atomic
def withdraw_picture(*, dataset: Dataset, sha256: str, actor: User) -> None:
    """Take a picture of a dataset back from everything of its owner's that has it.

    Effect, in one transaction: it leaves all datasets of its owner; a `Withdrawal` is written for each frozen
    version that had it, with a notice at the version's node of the lineage, which shows at every model made
    of it; trainings on these versions stop with a snapshot and cannot be resumed; the indexes that find the
    nearest training picture go, and so do the picture's traces in what they had found. Its files and the
    prepared arrays go after the commit; whoever is killed before that leaves them to the daily sweep and to
    the next training on their machine. Withdrawing it again changes nothing.

    Raises PictureUnknown when neither the dataset nor a frozen version of it has such a picture.
    """
    owner_id = dataset.owner_id
    found = find_picture(dataset, sha256)
    # Jobs first: a worker locks its job, then its dataset. Whatever has begun meanwhile is found below.
    _stop_trainings(found.versions)
    datasets = {copy.dataset_id for copy in found.copies} | {one.dataset_id for one in found.versions}
    locked = Dataset.objects.select_for_update().filter(pk__in=datasets - {None}, owner=owner_id)
    by_id = {one.pk: one for one in locked.order_by("pk")}
    versions = list(
        DatasetVersion.objects.select_for_update().filter(pk__in=versions_with(owner_id, sha256).values("pk"))
    )
    keys = {picture["file"] for one in versions for picture in one.pictures if picture["sha256"] == sha256}
    for copy in DatasetImage.objects.select_related("print").filter(dataset__in=by_id, sha256=sha256):
        take_out(by_id[copy.dataset_id], [copy])
        keys.update((copy.file, copy.thumbnail))
    _note(versions, sha256, actor)
    _stop_trainings(versions)
    keys.update(_drop_traces(versions, sha256))
    transaction.on_commit(partial(files.remove_files, keys))
    for folder in _prepared_folders(versions):
        # A training that has the file mapped goes on reading it until it has stopped.
        transaction.on_commit(partial(shutil.rmtree, folder, ignore_errors=True))
    logger.info("User %s withdrew picture %s from %d versions", actor.pk, sha256[:12], len(versions))


def _note(versions: Sequence[DatasetVersion], sha256: str, actor: User) -> None:
    """Write down the withdrawal at each version that did not have it already, and tell the lineage."""
    known = Withdrawal.objects.filter(version__in=versions, picture_sha256=sha256)
    done = set(known.values_list("version_id", flat=True))
    new = [version for version in versions if version.pk not in done]
    Withdrawal.objects.bulk_create(
        Withdrawal(
            version=version,
            picture_sha256=sha256,
            kept_sha256=_kept_sha256(version, sha256),
            withdrawn_by=actor,
        )
        for version in new
    )
    text = _("A picture of the training data was withdrawn.")
    SourceNotice.objects.bulk_create(SourceNotice(source_id=version.source_id, text=text) for version in new)


def _kept_sha256(version: DatasetVersion, sha256: str) -> str:
    """Return the SHA-256 of the file in which a version has the picture; "" where the file is gone."""
    key = next(picture["file"] for picture in version.pictures if picture["sha256"] == sha256)
    try:
        with default_storage.open(key) as stored:
            return hashlib.sha256(stored.read()).hexdigest()
    except FileNotFoundError:
        return ""


def _stop_trainings(versions: Collection[DatasetVersion]) -> None:
    explanation = _("One of its pictures was withdrawn, so this training ended. What it had learned is kept.")
    trained = Q(experiment__dataset_version__in=versions) | Q(ai_training__dataset_version__in=versions)
    for job in Job.objects.filter(trained, state__in=ACTIVE_STATES).order_by("pk"):
        stop_job(job=job, cause="a picture was withdrawn", explanation=explanation)


def _drop_traces(versions: Collection[DatasetVersion], sha256: str) -> list[str]:
    """Delete the rows of indexes, and the picture's hash at snapshots. Return the keys of the index files."""
    indexes = NearestIndex.objects.filter(version__in=versions)
    keys = list(indexes.values_list("file", flat=True))
    indexes.delete()
    shown = Q(nearest__contains=[{"sha256": sha256}])
    found: list[Snapshot | AISnapshot] = [
        *Snapshot.objects.filter(shown, experiment__dataset_version__in=versions),
        *AISnapshot.objects.filter(shown, training__dataset_version__in=versions),
    ]
    for snapshot in found:
        snapshot.nearest = without_withdrawn(snapshot.nearest, {sha256})
        snapshot.save(update_fields=["nearest"])
    return keys


def _prepared_folders(versions: Collection[DatasetVersion]) -> list[Path]:
    trained = (model.objects.filter(dataset_version__in=versions) for model in RUN_MODELS)
    return [files.prepared_folder(pk) for runs in trained for pk in runs.values_list("pk", flat=True)]
