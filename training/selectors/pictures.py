"""The pictures of a dataset, a page at a time, and those that are nearly alike in their groups."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, F, Q, Window
from django.db.models.functions import RowNumber

from training.crops import OWN_CROP
from training.marks import condition, with_marks
from training.models import Dataset, DatasetImage

PICTURES_PER_PAGE = 60
GROUPS_PER_PAGE = 20
SHOWN_OF_A_GROUP = 12
SHOW_OWN_CROP = "own-crop"
# Which of a group is offered to be kept: the one with the most pixels, the sharper of two.
BEST_FIRST = [(F("width") * F("height")).desc(), F("blur").asc(nulls_last=True), F("id").asc()]


@dataclass(frozen=True)
class PicturePage:
    """Some pictures of a dataset, ready for `marks_of`, and the cursor of what follows, "" at the end."""

    pictures: Sequence[DatasetImage]
    next_cursor: str


def picture_page(dataset: Dataset, cursor: str, show: str = "") -> PicturePage:
    """The pictures after a cursor, the newest first. One query.

    `show`: only those with this mark, or those that have a crop of their own (SHOW_OWN_CROP). Raises
    ValueError for a bad cursor and for what is neither.
    """
    pictures = with_marks(dataset.images.order_by("-created_at", "-id"), dataset.purpose)
    if show == SHOW_OWN_CROP:
        pictures = pictures.filter(OWN_CROP)
    elif show:
        pictures = pictures.filter(condition(show, dataset.purpose))
    if cursor:
        at, last = read_cursor(cursor)
        pictures = pictures.filter(Q(created_at__lt=at) | Q(created_at=at, id__lt=last))
    found = list(pictures[: PICTURES_PER_PAGE + 1])
    shown = found[:PICTURES_PER_PAGE]
    following = f"{shown[-1].created_at.isoformat()}_{shown[-1].pk}" if len(found) > len(shown) else ""
    return PicturePage(shown, following)


def read_cursor(cursor: str) -> tuple[datetime, UUID]:
    """Return the time and the id in a cursor. Raises ValueError for one that was not made here."""
    at, _separator, last = cursor.partition("_")
    moment = datetime.fromisoformat(at.replace(" ", "+"))
    if moment.tzinfo is None:
        raise ValueError("a cursor's time has a zone")
    return moment, UUID(last)


@dataclass(frozen=True)
class LikenessGroup:
    """Pictures that are nearly alike, the one to keep first: those that are shown, and how many there are."""

    id: UUID
    pictures: Sequence[DatasetImage]
    count: int

    @property
    def spare(self) -> int:
        """How many go when one stays."""
        return self.count - 1

    @property
    def more(self) -> int:
        """How many are not shown."""
        return self.count - len(self.pictures)


@dataclass(frozen=True)
class GroupPage:
    """Some groups of a dataset, and the cursor of those that follow, "" at the end."""

    groups: Sequence[LikenessGroup]
    next_cursor: str


def group_page(dataset: Dataset, cursor: str) -> GroupPage:
    """The groups after a cursor. Two queries. Raises ValueError for a bad cursor."""
    alike = dataset.images.filter(likeness_group__isnull=False).order_by()
    following = alike.filter(likeness_group__gt=UUID(cursor)) if cursor else alike
    sizes = list(
        following.values_list("likeness_group")
        .annotate(count=Count("pk"))
        .order_by("likeness_group")[: GROUPS_PER_PAGE + 1]
    )
    shown = dict(sizes[:GROUPS_PER_PAGE])
    place = Window(RowNumber(), partition_by=F("likeness_group"), order_by=BEST_FIRST)
    pictures: dict[UUID | None, list[DatasetImage]] = {group: [] for group in shown}
    found = alike.filter(likeness_group__in=shown).annotate(place=place)
    for picture in found.filter(place__lte=SHOWN_OF_A_GROUP).order_by("likeness_group", "place"):
        pictures[picture.likeness_group].append(picture)
    groups = [LikenessGroup(group, pictures[group], count) for group, count in shown.items()]
    return GroupPage(groups, str(groups[-1].id) if len(sizes) > len(shown) else "")


def spare_pictures(dataset: Dataset) -> list[UUID]:
    """Of every group all but the one to keep. One query."""
    place = Window(RowNumber(), partition_by=F("likeness_group"), order_by=BEST_FIRST)
    alike = dataset.images.filter(likeness_group__isnull=False).annotate(place=place)
    return list(alike.filter(place__gt=1).order_by().values_list("pk", flat=True))
