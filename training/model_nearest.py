"""The pictures that a model of the catalog was trained on: where they are searched, which is nearest."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from accounts.models import User
from catalog.models import Derivation, ModelVersion
from catalog.registry import NearestPicture
from engines.errors import DatasetError
from engines.images import UInt8Array
from training.models import DatasetImage, NearestIndex
from training.nearest import read_index, values_of
from training.neighbours import in_words


def index_keys(version: ModelVersion) -> list[str]:
    """Return the storage keys of the indexes of a version's pictures, the largest first. One query."""
    return list(_indexes(version).values_list("file", flat=True))


def nearest_of(version: ModelVersion, user: User, pixels: UInt8Array) -> NearestPicture | None:
    """Return the training picture nearest to uint8 `[R, R, 3]`, of several datasets that of all.

    None where none of the datasets is the user's, or can be searched any more.
    """
    own = _indexes(version).filter(version__dataset__owner=user).select_related("version")
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


def _indexes(version: ModelVersion) -> QuerySet[NearestIndex]:
    """The indexes of what a version was trained on, as far as the datasets are still there."""
    made_of = {
        "version__source__made_into__child": version.source_id,
        "version__source__made_into__role": Derivation.Role.DATASET,
    }
    found = NearestIndex.objects.filter(**made_of, resolution=version.resolution or 0)
    return found.filter(version__dataset__isnull=False).order_by("-version__count")


def _search(key: str, pixels: UInt8Array) -> Iterator[dict[str, Any]]:
    """What an index says of a picture; nothing where the index is gone or damaged."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            index = read_index(key, Path(folder) / "nearest.safetensors")
        except (OSError, DatasetError):
            return
    found = index.search(pixels[None])
    yield from values_of(found, found.is_suspect)
