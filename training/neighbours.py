"""The training pictures nearest to a snapshot's samples, as a page shows them to the training's owner."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from training.models import AISnapshot, DatasetImage, Snapshot, TrainingRun

# Where fewer than half of the training pictures have another one as near as that.
_CLOSE = 0.5
# Farther than this two pictures have less than half in common, however few others there are.
_SAME = 1.0


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """One of a snapshot's samples and the training picture nearest to it.

    `column` and `row` place it in the grid. `picture` is None where it was taken out of the dataset since.
    `usual` is the percentage of training pictures that have another one as near as that.
    """

    number: int
    column: int
    row: int
    picture: DatasetImage | None
    distance: float
    usual: int
    is_suspect: bool
    sentence: str


def neighbours_of(training: TrainingRun, snapshot: Snapshot | AISnapshot, *, columns: int) -> list[Neighbour]:
    """What was found for a snapshot, row by row; empty before it was measured. One query."""
    pictures = {
        picture.sha256: picture
        for picture in DatasetImage.objects.filter(
            dataset=training.dataset_version.dataset_id,
            dataset__owner=training.owner_id,
            sha256__in={found["sha256"] for found in snapshot.nearest},
        )
    }
    neighbours = []
    for number, found in enumerate(snapshot.nearest):
        row, column = divmod(number, columns)
        neighbours.append(
            Neighbour(
                number=number + 1,
                column=column,
                row=row,
                picture=pictures.get(found["sha256"]),
                distance=found["distance"],
                usual=round(found["share"] * 100),
                is_suspect=found["is_suspect"],
                sentence=in_words(found),
            )
        )
    return neighbours


def suspects(neighbours: Sequence[Neighbour]) -> int:
    """How many samples are nearer to a training picture than these are to each other."""
    return sum(neighbour.is_suspect for neighbour in neighbours)


def in_words(found: Mapping[str, Any]) -> str:
    """Say what to think of what was found for a picture (`NearestPictures.of_grid`)."""
    if found["is_suspect"] and found["distance"] < _SAME:
        return _("Nearly the same picture")
    is_close = found["is_suspect"] or found["share"] < _CLOSE
    return _("Resembles it") if is_close else _("A picture of its own")
