"""The captions of a dataset, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from training.models import Dataset, DatasetImage
from training.selectors.pictures import read_cursor

CAPTIONS_PER_PAGE = 40


@dataclass(frozen=True)
class CaptionPage:
    """Some pictures with their captions, and the cursor of those that follow, "" at the end."""

    pictures: Sequence[DatasetImage]
    next_cursor: str


def caption_page(dataset: Dataset, cursor: str, *, only_empty: bool = False) -> CaptionPage:
    """The pictures after a cursor, the newest first. One query. Raises ValueError for a bad cursor."""
    pictures = dataset.images.order_by("-created_at", "-id")
    if only_empty:
        pictures = pictures.filter(caption="")
    if cursor:
        at, last = read_cursor(cursor)
        pictures = pictures.filter(Q(created_at__lt=at) | Q(created_at=at, id__lt=last))
    found = list(pictures[: CAPTIONS_PER_PAGE + 1])
    shown = found[:CAPTIONS_PER_PAGE]
    following = f"{shown[-1].created_at.isoformat()}_{shown[-1].pk}" if len(found) > len(shown) else ""
    return CaptionPage(shown, following)


def count_missing(dataset: Dataset) -> int:
    """How many pictures have no caption. One query."""
    return int(dataset.images.filter(caption="").count())
