"""What of somebody's pictures, points and walks is taken along. See `accounts.belongings`."""

from collections.abc import Iterator

from django.db.models import F
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from accounts.belongings import Entry, Part, json_lines, stored_file, tell_counts
from accounts.models import User
from generation.models import Generation, Picture, Projection, SavedPoint, Walk

_AT_ONCE = 500


def _describe(user: User) -> list[str]:
    return tell_counts(
        [
            (
                Picture.objects.filter(owner=user),
                ngettext_lazy("%(count)s picture", "%(count)s pictures", "count"),
            ),
            (
                SavedPoint.objects.filter(owner=user),
                ngettext_lazy("%(count)s saved point", "%(count)s saved points", "count"),
            ),
            (Walk.objects.filter(owner=user), ngettext_lazy("%(count)s walk", "%(count)s walks", "count")),
            (
                Projection.objects.filter(owner=user),
                ngettext_lazy("%(count)s projection", "%(count)s projections", "count"),
            ),
        ]
    )


def _files(user: User) -> Iterator[Entry]:
    yield from _pictures(user)
    yield from _places(user)


def _pictures(user: User) -> Iterator[Entry]:
    pictures = Picture.objects.filter(owner=user).order_by("created_at", "id")
    yield "orders.jsonl", json_lines(
        Generation.objects.filter(owner=user).order_by("created_at"),
        "id", "kind", "model_title", "adapter_title", "prompt", "settings", "count", "created_at",
    )  # fmt: skip
    yield "pictures.jsonl", json_lines(
        pictures, "id", "index", "seed", "width", "height", "sha256", "provenance", "is_favourite",
        "created_at", order_id=F("generation"),
    )  # fmt: skip
    for key, file in pictures.values_list("pk", "file").iterator(chunk_size=_AT_ONCE):
        yield from stored_file(f"pictures/{key}.png", file)
    for order in Generation.objects.filter(owner=user).exclude(source_file="").order_by("created_at"):
        yield from stored_file(f"starts/{order.pk}.png", order.source_file)
        yield from stored_file(f"starts/{order.pk}-mask.png", order.mask_file)


def _places(user: User) -> Iterator[Entry]:
    walks = Walk.objects.filter(owner=user).order_by("created_at")
    projections = Projection.objects.filter(owner=user).order_by("created_at")
    yield "points.jsonl", json_lines(
        SavedPoint.objects.filter(owner=user).order_by("created_at"),
        "id", "title", "point", "is_shared", "created_at", model_title=F("version__model__title"),
    )  # fmt: skip
    yield "walks.jsonl", json_lines(walks, "id", "title", "model_title", "settings", "format", "created_at")
    for walk in walks:
        yield from stored_file(f"walks/{walk.pk}.{walk.format}", walk.file)
    yield (
        "projections.jsonl",
        json_lines(projections, "id", "title", "model_title", "settings", "figures", "created_at"),
    )
    for projection in projections:
        yield from stored_file(f"projections/{projection.pk}-photograph.png", projection.target)
        yield from stored_file(f"projections/{projection.pk}-found.png", projection.picture)


GENERATION = Part(
    name="pictures", title=_("Pictures, with all that made them"), describe=_describe, files=_files
)
