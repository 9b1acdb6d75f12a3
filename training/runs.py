"""What a training's attempts keep on this machine: their folders, and the pictures that they read.

An attempt works in `runs/<training>/<attempt>/`, which outlives it. The next one goes on from the newest
checkpoint there is: of an earlier attempt on this machine, or the one that storage shared by several machines
holds, whichever is further.
"""

import contextlib
import shutil
import uuid
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from django.core.files.storage import default_storage
from django.utils.translation import gettext as _

from engines.files import atomic_folder
from engines.manifest import STATE_FILE
from engines.progress import Snapshot as EngineSnapshot
from engines.stylegan.train import CHECKPOINTS
from jobs.context import JobContext
from jobs.exceptions import JobError
from jobs.files import attempt_prefix, fetch_folder, list_keys, store_folder
from jobs.models import State
from training import files
from training.models import RUN_MODELS, DatasetVersion
from training.withdrawn import why_ended

# A bucket answers many small requests at once much sooner than one after the other.
_FETCHERS = 8


class RunFolders:
    """The folders of a training's attempts on this machine."""

    def __init__(
        self,
        context: JobContext,
        run_id: uuid.UUID,
        find_snapshot: Callable[[Path], EngineSnapshot | None],
        *,
        carried: Sequence[str] = (),
    ) -> None:
        """Folders of the training `run_id`.

        `find_snapshot` is how its engine finds the last snapshot in an attempt's folder; `carried` are files
        that the next attempt may take over from there instead of making them anew.
        """
        self._context = context
        self._find_snapshot = find_snapshot
        self._carried = carried
        self._root = files.run_folder(run_id)
        self._own = self._root / str(context.attempt)

    def enter(self, *, keep_leftover: Callable[[EngineSnapshot], None]) -> Path:
        """Make this attempt's folder, with the newest checkpoint of the earlier ones, which are removed.

        `keep_leftover` gets a snapshot that was written by a worker that died before it could say so.
        """
        earlier = self._earlier()
        self._take_checkpoint(earlier)
        self._own.mkdir(parents=True, exist_ok=True)
        for attempt in earlier:
            leftover = self._find_snapshot(attempt)
            if leftover is not None:
                keep_leftover(leftover)
            self._carry(attempt)
            shutil.rmtree(attempt, ignore_errors=True)
        return self._own

    def _carry(self, attempt: Path) -> None:
        for name in self._carried:
            if (attempt / name).is_file() and not (self._own / name).exists():
                (attempt / name).rename(self._own / name)

    def _earlier(self) -> list[Path]:
        """Folders of earlier attempts, the newest first."""
        if not self._root.is_dir():
            return []
        found = [path for path in self._root.iterdir() if path.name.isdigit() and path != self._own]
        return sorted(found, key=lambda path: int(path.name), reverse=True)

    def _take_checkpoint(self, earlier: Sequence[Path]) -> None:
        here = max(((_step_of(attempt), attempt) for attempt in earlier), default=(-1, self._root))
        step, prefix = self._newest_shared()
        if max(step, here[0]) < 0:
            return
        with atomic_folder(self._own / CHECKPOINTS) as draft:
            if step > here[0]:
                fetch_folder(prefix, draft)
            else:
                shutil.copytree(here[1] / CHECKPOINTS, draft, dirs_exist_ok=True)

    def _newest_shared(self) -> tuple[int, str]:
        """The step and the prefix of the newest complete checkpoint in shared storage; -1 when there is none.

        A checkpoint's files are stored in their order, so with its last one, the state, it is complete.
        """
        newest = -1, ""
        for attempt in range(1, self._context.attempt):
            prefix = checkpoint_prefix(self._context, attempt)
            steps = [key.split("/")[-2] for key in list_keys(prefix) if key.endswith(f"/{STATE_FILE}")]
            newest = max([newest, *((int(step), prefix) for step in steps)])
        return newest


def share_checkpoint(context: JobContext, run_dir: Path) -> None:
    """Store an attempt's checkpoint where other machines find it, if storage is elsewhere at all."""
    if files.local_path("checkpoints") is not None or not (run_dir / CHECKPOINTS).is_dir():
        return
    prefix = checkpoint_prefix(context, context.attempt)
    stale = set(list_keys(prefix))
    stale -= set(store_folder(run_dir / CHECKPOINTS, prefix))
    files.remove_files(stale)


def checkpoint_prefix(context: JobContext, attempt: int) -> str:
    """Where an attempt's checkpoint lies in storage that several machines share."""
    return f"{attempt_prefix(context.job, attempt)}checkpoints"


def sweep_runs() -> None:
    """Remove this machine's folders of trainings that were deleted, or finished on another machine."""
    folders = {}
    for folder in files.runs_root().glob("*"):
        with contextlib.suppress(ValueError):
            folders[uuid.UUID(folder.name)] = folder
    sweep_withdrawn(folders)
    going_on: set[uuid.UUID] = set()
    for model in RUN_MODELS:
        unfinished = model.objects.filter(pk__in=folders).exclude(job__state=State.SUCCEEDED)
        going_on.update(unfinished.values_list("pk", flat=True))
    for gone in folders.keys() - going_on:
        shutil.rmtree(folders[gone], ignore_errors=True)


def sweep_withdrawn(run_ids: Collection[uuid.UUID]) -> None:
    """Remove this machine's prepared pictures of trainings of which one was withdrawn."""
    for model in RUN_MODELS:
        affected = model.objects.filter(pk__in=run_ids, dataset_version__withdrawals__isnull=False).distinct()
        for run_id in affected.values_list("pk", flat=True):
            shutil.rmtree(files.prepared_folder(run_id), ignore_errors=True)


def local_pictures(
    context: JobContext, version: DatasetVersion, *, on_progress: Callable[[int, int], None]
) -> list[tuple[str, Path]]:
    """Return SHA-256 and local path of a frozen version's pictures, fetched where storage is elsewhere.

    `on_progress(done, total)` is called after each that was fetched. Raises JobError when they were deleted
    or one was withdrawn.
    """
    ended = why_ended(version)
    if ended:
        raise JobError(ended)
    keys = [picture["file"] for picture in version.pictures]
    paths: list[Path] = []
    pool = ThreadPoolExecutor(_FETCHERS)
    try:
        for path in pool.map(partial(_local_path, context.workdir / "pictures"), keys):
            if not path.is_file():
                raise JobError(
                    _(
                        "The pictures of this training were deleted, so it cannot go on. The snapshots "
                        "it has made can still be saved. Start a new experiment with another dataset."
                    )
                )
            paths.append(path)
            if files.local_path(keys[0]) is None:
                on_progress(len(paths), len(keys))
    finally:
        pool.shutdown(cancel_futures=True)
    return [(picture["sha256"], path) for picture, path in zip(version.pictures, paths, strict=True)]


def _local_path(folder: Path, key: str) -> Path:
    """Where a stored picture lies on this machine, fetched into `folder` if need be."""
    here = files.local_path(key)
    if here is not None:
        return here
    path = folder / key.rsplit("/", 1)[-1]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with default_storage.open(key) as stored, path.open("wb") as copy:
            shutil.copyfileobj(stored, copy)
    except FileNotFoundError:
        path.unlink(missing_ok=True)
    return path


def _step_of(attempt: Path) -> int:
    """The step of the newest checkpoint in an attempt's folder; -1 when there is none."""
    steps = [int(path.name) for path in (attempt / CHECKPOINTS).glob("*") if path.name.isdigit()]
    return max(steps, default=-1)
