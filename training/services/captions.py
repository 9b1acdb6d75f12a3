"""Writing captions: one, many by a rule, and those that files bring."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from django.db import connection, transaction

from training.caption_files import CaptionRow, Problem, Reading
from training.captions import Change, following_purpose, kept_caption, renaming
from training.exceptions import CaptionRefused, PicturesMissing
from training.models import Dataset, DatasetImage
from training.picture_names import PictureNames


@dataclass(frozen=True)
class ChangedCaption:
    """A caption before and after."""

    image: DatasetImage
    before: str
    after: str


@dataclass(frozen=True)
class CaptionImport:
    """How many captions files brought, and what in them was not taken."""

    taken: int
    problems: list[Problem] = field(default_factory=list)


def save_caption(*, image: DatasetImage, caption: str) -> DatasetImage:
    """Write one caption, cleaned, with the dataset's keyword in it; an empty one stays empty. One row.

    Raises CaptionRefused for one that is too long.
    """
    image.caption = kept_caption(image.dataset, caption)
    image.save(update_fields=["caption"])
    return image


@transaction.atomic
def set_words(*, dataset: Dataset, keyword: str, subject: str) -> int:
    """Set the words for what is learned and for what kind of thing it is, and bring all captions after them.

    Effect: a changed keyword is changed in the captions too, and put into those that lack it. One
    transaction, with the dataset's row locked. Return how many captions changed.
    Raises CaptionRefused when one would become too long; nothing is changed then.
    """
    locked: Dataset = Dataset.objects.select_for_update().get(pk=dataset.pk)
    rename = renaming(locked.keyword, keyword)
    locked.keyword = dataset.keyword = keyword
    locked.subject = dataset.subject = subject
    locked.save(update_fields=["keyword", "subject"])
    # An empty caption stays empty: it follows the words by itself whenever it is read.
    return change_captions(dataset=locked, change=lambda caption: rename(caption) if caption else "")


def captions_changed_by(
    *, dataset: Dataset, change: Change, only: Collection[UUID] | None = None
) -> list[ChangedCaption]:
    """Return what a change would do, in the order of the pictures' names. One query, no effect.

    Raises CaptionRefused when a caption would become too long, PicturesMissing when not all of `only` are
    in the dataset.
    """
    return _changes(dataset, change, only, is_locking=False)


def count_following(dataset: Dataset, was: str) -> int:
    """How many captions still are what the purpose `was` made of them, and would follow the one of now.

    One query. None are said where one would become too long: the change itself tells which.
    """
    try:
        return len(_changes(dataset, following_purpose(dataset, was), None, is_locking=False))
    except CaptionRefused:
        return 0


@transaction.atomic
def change_captions(*, dataset: Dataset, change: Change, only: Collection[UUID] | None = None) -> int:
    """Change all captions, or those of the pictures in `only`. Return how many became different.

    One transaction with the pictures' rows locked. Raises CaptionRefused when a caption would become too
    long, PicturesMissing when not all of `only` are in the dataset; none is changed then.
    """
    changes = _changes(dataset, change, only, is_locking=True)
    _write({changed.image.pk: changed.after for changed in changes})
    return len(changes)


@transaction.atomic
def import_captions(*, dataset: Dataset, readings: Iterable[Reading]) -> CaptionImport:
    """Give pictures the captions that files hold, in place of what they have.

    Where two name one picture, the later counts. What names no picture, and what could not be read, is told
    and not taken. One transaction with the pictures' rows locked.
    """
    pictures = dataset.images.order_by("created_at", "id").only("dataset", "name", "file")
    names = PictureNames(pictures.select_for_update())
    found: dict[UUID, str] = {}
    problems: list[Problem] = []
    for reading in readings:
        problems += reading.problems
        for row in reading.rows:
            _match(dataset, row, names.find, found, problems)
    _write(found)
    return CaptionImport(len(found), problems)


def _match(
    dataset: Dataset,
    row: CaptionRow,
    find: Callable[[str], UUID],
    found: dict[UUID, str],
    problems: list[Problem],
) -> None:
    try:
        found[find(row.file_name)] = kept_caption(dataset, row.caption)
    except CaptionRefused as error:
        problems.append(Problem(row.where, str(error)))


def _changes(
    dataset: Dataset, change: Change, only: Collection[UUID] | None, *, is_locking: bool
) -> list[ChangedCaption]:
    images = dataset.images.order_by("name", "id").only("dataset", "name", "caption")
    if only is not None:
        images = images.filter(pk__in=only)
    if is_locking:
        images = images.select_for_update()
    found = list(images)
    if only is not None and len(found) != len(only):
        raise PicturesMissing("Some of the pictures are not in this dataset.")
    compared = (
        ChangedCaption(image, image.caption, kept_caption(dataset, change(image.caption))) for image in found
    )
    return [changed for changed in compared if changed.before != changed.after]


def _write(captions: dict[UUID, str]) -> None:
    """Set captions by picture. One statement: bulk_update's CASE takes seconds for 25,000 rows."""
    if not captions:
        return
    table = connection.ops.quote_name(DatasetImage._meta.db_table)  # noqa: SLF001 - documented by Django
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} AS picture SET caption = new.caption"  # noqa: S608 - the table's own name
            " FROM unnest(%s::uuid[], %s::text[]) AS new (id, caption) WHERE picture.id = new.id",
            [list(captions), list(captions.values())],
        )
