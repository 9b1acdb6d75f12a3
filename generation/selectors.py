"""Questions about orders and pictures that pages ask."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Count, Prefetch, Q, QuerySet

from accounts.models import User
from generation.models import Generation, Picture

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadCursorError(ValueError):
    """A cursor that no page of ours contained."""


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """A place in the gallery: behind this picture. Written `<microseconds since 1970>.<picture's UUID>`."""

    created_at: datetime
    pk: uuid.UUID

    def __str__(self) -> str:
        return f"{(self.created_at - _EPOCH) // timedelta(microseconds=1)}.{self.pk.hex}"

    @classmethod
    def of(cls, picture: Picture) -> "Cursor":
        """Return the place behind a picture."""
        return cls(created_at=picture.created_at, pk=picture.pk)

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Read what `str` wrote. Raises BadCursorError for anything else."""
        try:
            microseconds, key = text.split(".")
            created_at = _EPOCH + timedelta(microseconds=int(microseconds[:20]))
            cursor = cls(created_at=created_at, pk=uuid.UUID(hex=key))
        except (ValueError, OverflowError) as error:
            raise BadCursorError(text[:80]) from error
        if str(cursor) != text:
            raise BadCursorError(text[:80])
        return cursor


def older_than(pictures: QuerySet[Picture], cursor: Cursor) -> QuerySet[Picture]:
    """Keep what comes after the cursor when the newest comes first."""
    behind = Q(created_at__lt=cursor.created_at) | Q(pk__lt=cursor.pk)
    return pictures.filter(behind, created_at__lte=cursor.created_at)


def newer_than(pictures: QuerySet[Picture], cursor: Cursor) -> QuerySet[Picture]:
    """Keep what comes before the cursor, the nearest first."""
    before = Q(created_at__gt=cursor.created_at) | Q(pk__gt=cursor.pk)
    return pictures.filter(before, created_at__gte=cursor.created_at).order_by("created_at", "pk")


def searched(pictures: QuerySet[Picture], text: str) -> QuerySet[Picture]:
    """Keep the pictures in whose prompt, or in whose model's title, all words of the text stand."""
    for word in text.split():
        in_prompt = Q(generation__prompt__icontains=word) | Q(generation__model_title__icontains=word)
        pictures = pictures.filter(in_prompt | Q(generation__adapter_title__icontains=word))
    return pictures


def latest_generations(
    user: User, *, but: Generation | None = None, limit: int = 8, shown: int = 4
) -> list[Generation]:
    """Return a user's newest orders, each with its first pictures as `first_pictures`. Two queries."""
    first = Picture.objects.filter(index__lt=shown).order_by("index")
    generations = Generation.objects.owned_by(user).select_related("job")
    if but is not None:
        generations = generations.exclude(pk=but.pk)
    return list(generations.prefetch_related(Prefetch("pictures", first, to_attr="first_pictures"))[:limit])


def keys_in_use(keys: Collection[str]) -> set[str]:
    """Return those of the keys below `jobs/` that hold a picture of a gallery."""
    return set(Picture.objects.filter(file__in=keys).values_list("file", flat=True))


def starts_in_use(keys: Collection[str]) -> set[str]:
    """Return those of the keys below `starts/` that an order started from."""
    orders = Generation.objects.filter(Q(source_file__in=keys) | Q(mask_file__in=keys))
    return {key for pair in orders.values_list("source_file", "mask_file") for key in pair} & set(keys)


def find_picture_file(user: User, number: uuid.UUID) -> str | None:
    """Return the storage key of a picture of the user's gallery, None where there is none of that number."""
    pictures = Picture.objects.owned_by(user).filter(pk=number)
    return pictures.values_list("file", flat=True).first()


def count_uses() -> list[tuple[uuid.UUID, int]]:
    """Return how often pictures were ordered of each version of a model, as a base and as a trained one."""
    orders = Generation.objects.order_by()
    bases = orders.exclude(model_version=None).values_list("model_version").annotate(Count("pk"))
    trained = orders.exclude(adapter=None).values_list("adapter").annotate(Count("pk"))
    return [*bases, *trained]
