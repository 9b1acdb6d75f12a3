"""The pictures of a dataset, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from training.models import Dataset, DatasetImage

PICTURES_PER_PAGE = 60


@dataclass(frozen=True)
class PicturePage:
    """Some pictures of a dataset, and the cursor of those that follow, "" at the end."""

    pictures: Sequence[DatasetImage]
    next_cursor: str


def picture_page(dataset: Dataset, cursor: str) -> PicturePage:
    """The pictures after a cursor, the newest first; one query. Raises ValueError for a bad cursor."""
    pictures = dataset.images.order_by("-created_at", "-id")
    if cursor:
        at, last = _read_cursor(cursor)
        pictures = pictures.filter(Q(created_at__lt=at) | Q(created_at=at, id__lt=last))
    found = list(pictures[: PICTURES_PER_PAGE + 1])
    shown = found[:PICTURES_PER_PAGE]
    following = f"{shown[-1].created_at.isoformat()}_{shown[-1].pk}" if len(found) > len(shown) else ""
    return PicturePage(shown, following)


def _read_cursor(cursor: str) -> tuple[datetime, UUID]:
    at, _separator, last = cursor.partition("_")
    moment = datetime.fromisoformat(at.replace(" ", "+"))
    if moment.tzinfo is None:
        raise ValueError("a cursor's time has a zone")
    return moment, UUID(last)
