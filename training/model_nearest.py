"""The pictures that a model of the catalog was trained on: where they are searched, which is nearest."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.urls import reverse

from accounts.models import User
from catalog.lineage import ancestor_keys
from catalog.models import ModelVersion
from catalog.registry import NearestPicture
from engines.errors import DatasetError
from engines.images import UInt8Array
from training.models import DatasetImage, NearestIndex
from training.nearest import read_index, values_of
from training.neighbours import in_words


def index_keys(version: ModelVersion) -> list[str]:
    """Return the storage keys of the indexes of a version's pictures, the largest first. Two queries.

    One for each dataset of its lineage: what the model that it began with was trained on counts too.
    """
    return [row.file for row in _indexes(version)]


def nearest_of(version: ModelVersion, user: User, pixels: UInt8Array) -> NearestPicture | None:
    """Return the training picture nearest to uint8 `[R, R, 3]`, of several datasets that of all.

    None where none of the datasets is the user's, or can be searched any more.
    """
    own = [row for row in _indexes(version) if row.version.dataset and row.version.dataset.owner == user]
    found = [(values, row) for row in own for values in _search(row.file, pixels)]
    if not found:
        return None
    values, row = min(found, key=lambda one: float(one[0]["distance"]))
    picture = DatasetImage.objects.filter(dataset=row.version.dataset_id, sha256=values["sha256"]).first()
    thumb, full = (
        reverse("training:image_show", args=[picture.dataset_id, picture.pk, size]) if picture else ""
        for size in ("thumb", "full")
    )
    return NearestPicture(
        title=picture.name if picture else "",
        url=thumb,
        full_url=full,
        distance=values["distance"],
        usual=round(values["share"] * 100),
        is_suspect=values["is_suspect"],
        sentence=in_words(values),
    )


def _indexes(version: ModelVersion) -> list[NearestIndex]:
    """An index of each dataset that a version and its origins were trained on, if the studio holds it."""
    found = NearestIndex.objects.filter(version__source__in=ancestor_keys(version.source_id))
    found = found.filter(version__dataset__isnull=False).select_related("version__dataset__owner")
    # Pictures are compared at 16 x 16 pixels, so the index of another size will do.
    by_size = sorted(found.order_by("resolution"), key=lambda row: row.resolution != version.resolution)
    by_dataset: dict[object, NearestIndex] = {}
    for row in by_size:
        by_dataset.setdefault(row.version_id, row)
    return sorted(by_dataset.values(), key=lambda row: -row.version.count)


def _search(key: str, pixels: UInt8Array) -> Iterator[dict[str, Any]]:
    """What an index says of a picture; nothing where the index is gone or damaged."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            index = read_index(key, Path(folder) / "nearest.safetensors")
        except (OSError, DatasetError):
            return
    found = index.search(pixels[None])
    yield from values_of(found, found.is_suspect)
