"""Which stored files datasets and trainings have in use: what the sweep must leave alone."""

import contextlib
import uuid
from collections.abc import Collection

from engines.manifest import STATE_FILE
from jobs.models import State
from training import files
from training.models import (
    RUN_MODELS,
    AISnapshot,
    DatasetImage,
    DatasetVersion,
    Film,
    NearestIndex,
    Snapshot,
    UploadedFile,
    Withdrawal,
)


def dataset_keys_in_use(keys: Collection[str]) -> set[str]:
    """Return those of the keys below `datasets/` that hold a picture, an index or bytes yet to be checked.

    A picture that was taken out of its dataset stays while a frozen version names it: its training may have
    to begin again. One that was withdrawn does not.
    """
    images = DatasetImage.objects.filter(dataset__in=_ids(keys)).values_list("file", "thumbnail")
    waiting = UploadedFile.objects.filter(file__in=keys).values_list("file", flat=True)
    frozen = _frozen_keys(_ids(keys))
    indexes = NearestIndex.objects.filter(file__in=keys).values_list("file", flat=True)
    shown = files.with_copies(key for pair in images for key in pair)
    return shown.union(waiting, frozen, indexes)


def _frozen_keys(datasets: Collection[uuid.UUID]) -> set[str]:
    """The stored pictures that frozen versions of the datasets have."""
    withdrawn: dict[uuid.UUID, set[str]] = {}
    for version, sha256 in Withdrawal.objects.filter(version__dataset__in=datasets).values_list(
        "version", "picture_sha256"
    ):
        withdrawn.setdefault(version, set()).add(sha256)
    return {
        picture["file"]
        for version, pictures in DatasetVersion.objects.filter(dataset__in=datasets).values_list(
            "pk", "pictures"
        )
        for picture in pictures
        if picture["sha256"] not in withdrawn.get(version, ())
    }


def job_keys_in_use(keys: Collection[str]) -> set[str]:
    """Return those of the keys below `jobs/` that belong to a snapshot, the newest checkpoint or a film.

    `keys` are all that are stored of the jobs they name. Only a training that can go on has a checkpoint.
    """
    jobs = _ids(keys)
    snapshots = [
        *Snapshot.objects.filter(experiment__job__in=jobs).values_list("grid", "folder"),
        *AISnapshot.objects.filter(training__job__in=jobs).values_list("grid", "folder"),
    ]
    grids = {grid for grid, _folder in snapshots}
    folders = tuple(f"{folder}/" for _grid, folder in snapshots if folder)
    shown = {key for key in keys if key in grids or key.startswith(folders)}
    return shown.union(_checkpoints(keys), Film.objects.filter(file__in=keys).values_list("file", flat=True))


def _checkpoints(keys: Collection[str]) -> set[str]:
    """Return the keys of the newest complete checkpoint, and what is newer, of trainings that may go on."""
    going_on: set[uuid.UUID] = set()
    for model in RUN_MODELS:
        unfinished = model.objects.filter(job__in=_ids(keys)).exclude(job__state=State.SUCCEEDED)
        going_on.update(unfinished.values_list("job_id", flat=True))
    kept: set[str] = set()
    for job_id in going_on:
        found = [key for key in keys if key.startswith(f"jobs/{job_id}/") and "/checkpoints/" in key]
        newest = max((int(key.split("/")[2]) for key in found if key.endswith(f"/{STATE_FILE}")), default=0)
        kept.update(key for key in found if int(key.split("/")[2]) >= newest)
    return kept


def _ids(keys: Collection[str]) -> set[uuid.UUID]:
    """Return the ids that follow the prefix in the keys; a folder of another name is nobody's."""
    ids = set()
    for key in keys:
        with contextlib.suppress(ValueError, IndexError):
            ids.add(uuid.UUID(key.split("/")[1]))
    return ids
