"""The training picture nearest to each picture of a snapshot: a check against learning by heart.

The index is made once for a frozen version and a resolution, in the first training that needs it. It holds a
tiny copy of each picture, so it is as private as they are: it lies below their dataset's prefix and goes with
them.
"""

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from django.core.files.storage import default_storage
from django.db import transaction
from PIL import Image

from engines.dataset import PreparedDataset
from engines.errors import DatasetError
from engines.images import UInt8Array
from engines.metrics.nearest import SIDE, Nearest, build_nearest_index
from engines.metrics.nearest import NearestIndex as Thumbnails
from engines.stylegan.config import GRID_COLUMNS, GRID_SEEDS
from jobs.context import JobContext
from jobs.files import store_file
from training import files
from training.models import Dataset, DatasetVersion, NearestIndex, TrainingRun


@dataclass(frozen=True, kw_only=True)
class Grid:
    """How the pictures of a sheet lie: so many of `side` pixels, row by row."""

    side: int
    columns: int
    count: int


class NearestPictures:
    """Searches a version's pictures for one attempt at a training."""

    def __init__(self, index: Thumbnails, grid: Grid, *, by_picture: bool) -> None:
        self._index = index
        self._grid = grid
        self._by_picture = by_picture

    @classmethod
    def of(
        cls,
        context: JobContext,
        version: DatasetVersion,
        dataset: PreparedDataset,
        folder: Path,
        *,
        grid: Grid | None = None,
        by_picture: bool = False,
    ) -> "NearestPictures | None":
        """Fetch the index, or make and store it; None for pictures too small to be compared.

        `folder` is the attempt's own. `grid` is how samples lie in their sheet, by default that of
        experiments. With `by_picture` a sample is suspect that is nearer to a training picture than that one
        is to every other: where there are few pictures, the shares of many tell nothing. Raises LeaseLost.
        """
        if dataset.resolution < SIDE:
            return None
        path = folder / "nearest.safetensors"
        index = _fetch(version, dataset.resolution, path)
        if index is None:
            build_nearest_index(dataset, path)
            _store(context, version, dataset.resolution, path)
            index = Thumbnails.read(path)
        default = Grid(side=dataset.resolution, columns=GRID_COLUMNS, count=len(GRID_SEEDS))
        return cls(index, grid or default, by_picture=by_picture)

    def of_grid(self, grid: Image.Image) -> list[dict[str, Any]]:
        """Return for each picture of a grid what a snapshot's `nearest` keeps of it, in their order.

        `sha256` of the picture nearest to it and their `distance` (`engines.metrics.nearest.Nearest`); the
        `share` of the training pictures that have another one as near as that or nearer; and whether that is
        so near that it was probably learned by heart (`is_suspect`).
        """
        found = self._index.search(_cut(grid, self._grid))
        suspects = found.is_suspect
        if self._by_picture:
            suspects = found.distance < self._index.spacing_of(found.index)
        return values_of(found, suspects)

    def make_up(self, context: JobContext, training: TrainingRun) -> None:
        """Search for the snapshots that were recorded without it. Raises LeaseLost."""
        for snapshot in training.snapshots.filter(nearest=[]).exclude(folder=""):
            with default_storage.open(snapshot.grid) as stored, Image.open(stored) as grid:
                nearest = self.of_grid(grid)
            with context.fenced():
                training.snapshots.filter(pk=snapshot.pk).update(nearest=nearest)


def values_of(found: Nearest, suspects: npt.NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Return what `NearestPictures.of_grid` says of each picture."""
    return [
        {
            "sha256": name,
            "distance": round(float(distance), 4),
            "share": round(1.0 - float(closer), 4),
            "is_suspect": bool(suspect),
        }
        for name, distance, closer, suspect in zip(
            found.names, found.distance, found.closer_than, suspects, strict=True
        )
    ]


def read_index(key: str, path: Path) -> Thumbnails:
    """Read a stored index by way of a file at `path`. Raises OSError or DatasetError."""
    with default_storage.open(key) as stored, path.open("wb") as copy:
        copy.writelines(stored.chunks())
    return Thumbnails.read(path)


def _fetch(version: DatasetVersion, resolution: int, path: Path) -> Thumbnails | None:
    """Read the stored index; None where there is none, or it cannot be read."""
    row = NearestIndex.objects.filter(version=version, resolution=resolution).first()
    if row is None:
        return None
    try:
        return read_index(row.file, path)
    except (OSError, DatasetError):
        return None


def _store(context: JobContext, version: DatasetVersion, resolution: int, path: Path) -> None:
    """Store an index with its row, in place of one that could not be read.

    Nothing is kept when the dataset was deleted meanwhile, or one of its pictures withdrawn.
    """
    if version.dataset_id is None:
        return
    key = f"{files.dataset_prefix(version.dataset_id)}nearest/{uuid.uuid4()}.safetensors"
    store_file(path, key)
    unused = key
    try:
        with context.fenced():
            is_there = Dataset.objects.select_for_update().filter(pk=version.dataset_id).exists()
            if is_there and not version.withdrawals.exists():
                before = NearestIndex.objects.filter(version=version, resolution=resolution).first()
                NearestIndex.objects.update_or_create(
                    version=version, resolution=resolution, defaults={"file": key}
                )
                unused = before.file if before else ""
    finally:
        if unused:
            transaction.on_commit(lambda: files.remove_files([unused]))


def _cut(sheet: Image.Image, grid: Grid) -> UInt8Array:
    """The pictures of a sheet, row by row: uint8 `[count, side, side, 3]`."""
    table = np.asarray(sheet.convert("RGB"))
    rows = -(-grid.count // grid.columns)
    cells = table.reshape(rows, grid.side, grid.columns, grid.side, 3).swapaxes(1, 2)
    return np.ascontiguousarray(cells.reshape(-1, grid.side, grid.side, 3)[: grid.count])
